/* option_int.h: what option.c, option_value.c and option_file.c share; nobody else includes it. */
#ifndef CHASQUI_BASE_OPTION_INT_H
#define CHASQUI_BASE_OPTION_INT_H

#include "queue/base/option.h"

#define OPTION_NAME_MAX 64

/* The texts that one source gives; NULL where it says nothing. Borrowed until the layer is taken over. */
struct option_layer {
    char *text[OPTION_COUNT];
};
void option_layer_fini(struct option_layer *layer);

/* How a row is called in a place: the key of a file, a variable, or a flag. */
enum option_form { OPTION_FORM_KEY, OPTION_FORM_VARIABLE, OPTION_FORM_FLAG };
void option_spell(enum option_id id, enum option_form form, char out[OPTION_NAME_MAX]);
/* False if no row is called so. */
bool option_find(const char *name, enum option_form form, enum option_id *id);
/* The known name of that form with the smallest edit distance; out is never empty. */
void option_nearest(const char *name, enum option_form form, char out[OPTION_NAME_MAX]);

/* Reads a text by the row's type and range. On ERR_INVALID adds the rest of a sentence to why ("is 900; the
 * range is 1 to 64"); never the text of a secret. number stays 0 for texts. */
enum err option_value_parse(const struct option_row *row, const char *text, int64_t *number,
                            struct buf *why) MUST_CHECK;

/* Reads a whole INI file into an empty layer; checks every value. The caller finishes the layer. */
enum err option_file_read(const char *path, struct option_layer *layer, struct buf *why) MUST_CHECK;

#endif
