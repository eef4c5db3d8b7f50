#include "report/csv.h"

#include <string.h>

void tf_csv_field(FILE *out, const char *text, bool last)
{
    fputc('"', out);
    if (*text && strchr("=+-@\t\r", *text))
        fputc('\'', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputs(last ? "\"\r\n" : "\",", out);
}
