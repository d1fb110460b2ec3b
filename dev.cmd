@echo off
rem SPDX-License-Identifier: MIT
rem What ./dev is on other systems, with Visual C++: dev demo, dev test, dev bench, dev clean.
setlocal
cd /d "%~dp0"

if "%1"=="demo" goto demo
if "%1"=="test" goto test
if "%1"=="bench" goto bench
if "%1"=="clean" goto clean
echo dev demo     build the examples and show what they print
echo dev test     build, test and check on this machine
echo dev bench    build and run the benchmarks; --tsv for a table to be read by programs
echo dev clean    remove build\
if "%1"=="help" exit /b 0
exit /b 1

:demo
call :build || exit /b 1
for %%e in (seed_separate seed_shared seed_messages) do (
  echo.
  echo ==^> %%e
  build\msvc\examples\%%e.exe || exit /b 1
)
exit /b 0

:test
call :build || exit /b 1
ctest --preset msvc --progress
exit /b %errorlevel%

:bench
call :build >&2 || exit /b 1
build\msvc\bench\bench.exe %2 %3 %4
exit /b %errorlevel%

:clean
if exist build rmdir /s /q build
exit /b 0

rem Finds the compiler, and with it the CMake and Ninja that Visual Studio brings; then configures and builds.
:build
where cl >nul 2>nul || call :find_compiler || exit /b 1
cmake --preset msvc || exit /b 1
cmake --build --preset msvc
exit /b %errorlevel%

:find_compiler
set "vswhere=%ProgramFiles(x86)%\Microsoft Visual Studio\Installer\vswhere.exe"
if not exist "%vswhere%" goto no_compiler
for /f "usebackq delims=" %%p in (`"%vswhere%" -latest -products * -property installationPath`) do set "vs=%%p"
if not exist "%vs%\VC\Auxiliary\Build\vcvars64.bat" goto no_compiler
call "%vs%\VC\Auxiliary\Build\vcvars64.bat" >nul
exit /b 0

:no_compiler
echo There is no Visual C++. Install the "Desktop development with C++" workload:
echo   winget install Microsoft.VisualStudio.2022.BuildTools --override "--add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"
exit /b 1
