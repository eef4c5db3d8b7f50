#include <tokenfix/migration.h>

/* Of a program that defines none. Its own come first: these are weak, and the dynamic linker looks into the program before it looks
 * into the library. */
__attribute__((weak)) const tf_migration *const tf_migrations[] = {NULL};
__attribute__((weak)) const size_t tf_migrations_count = 0;
