/* The versions of the tool, the driver and the build. */
#ifndef TF_CMD_VERSION_H
#define TF_CMD_VERSION_H

#include <stdbool.h>

/* Prints them on standard output; returns 0. */
int tf_version_print(bool json);

/* The tool's own version: "0.1.0". */
const char *tf_version(void);

#endif
