/* extractive.c: an answer without a model: the sentences of the best passage that answer the question.
 *
 * No key, no network, nothing invented: every word stands in the business's own knowledge. */
#include <string.h>

#include "agent/model/model.h"

#define EXTRACT_MAX 600 /* bytes: a few sentences on a phone's screen */

/* True if the text is nothing but blanks. */
static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* One excerpt after another, an empty line between. */
static const char *extract_parts(const struct model_request *request, struct arena *arena)
{
    const char *text = NULL;

    for (size_t i = 0; i < request->part_count; i++) {
        const struct model_part *part = &request->parts[i];
        const char *one = kb_excerpt(part->question, &part->hit->chunk, EXTRACT_MAX / 2, arena);
        if (one != NULL && !is_blank(one)) {
            text = text == NULL ? one : arena_printf(arena, "%s\n\n%s", text, one);
        }
    }
    return text;
}

const char *model_extract(const struct model_request *request, struct arena *arena)
{
    const struct kb_result *found = request->passages;

    if (request->part_count > 1) {
        return extract_parts(request, arena);
    }
    if (found == NULL || found->count == 0) {
        return NULL;
    }
    const char *text = kb_excerpt(request->question, &found->hits[0].chunk, EXTRACT_MAX, arena);
    return text != NULL && !is_blank(text) ? text : NULL;
}
