#!/bin/sh
# SPDX-License-Identifier: MIT
# pkg_config.sh PREFIX FOLDER: builds and runs the consumer with nothing but a C compiler and pkg-config, against
# the kith that is installed in PREFIX.
set -eux

prefix=$1
folder=$2
source=$(dirname "$0")/consumer.c
packages=$(find "$prefix" -name pkgconfig -type d)
libraries=$(dirname "$packages")
export PKG_CONFIG_PATH="$packages"
mkdir -p "$folder"

# shellcheck disable=SC2046  # what pkg-config prints is a list of options
{
  ${CC:-cc} "$source" -o "$folder/static" $(pkg-config --cflags --libs kith-static)
  ${CC:-cc} "$source" -o "$folder/shared" $(pkg-config --cflags --libs kith)
}

"$folder/static"
LD_LIBRARY_PATH="$libraries" DYLD_LIBRARY_PATH="$libraries" "$folder/shared"
