/* A field of a CSV (RFC 4180): quoted always; what a spreadsheet would take for a formula gets an apostrophe before it. */
#ifndef TF_REPORT_CSV_H
#define TF_REPORT_CSV_H

#include <stdbool.h>
#include <stdio.h>

/* `last`: a line end follows instead of a comma. */
void tf_csv_field(FILE *out, const char *text, bool last);

#endif
