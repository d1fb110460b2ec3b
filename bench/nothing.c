/* SPDX-License-Identifier: MIT
 *
 * The program that the benchmark starts. */
int main(void) { return 0; }
