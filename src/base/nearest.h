/* The word somebody may have meant. */
#ifndef TF_BASE_NEAREST_H
#define TF_BASE_NEAREST_H

/* The candidate nearest to `word` by edit distance (a swap of neighbours counts one), or one that begins with it; NULL
 * where nothing is near. `candidates` ends with NULL; the answer is one of its elements. */
const char *tf_nearest(const char *word, const char *const *candidates);

#endif
