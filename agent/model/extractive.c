/* extractive.c: an answer without a model: the sentences of the best passages that answer the question.
 *
 * No key, no network, nothing invented: every word stands in the business's own knowledge. Where two passages
 * of one document fit about equally well both are used, in the document's order: a heading often matches
 * better than the paragraph that answers. */
#include <ctype.h>
#include <string.h>

#include "agent/model/model.h"

#define EXTRACT_MAX  600 /* bytes: a few sentences on a phone's screen */
#define NEAR_LOOKED  3   /* hits that may stand beside the best one */
#define NEAR_SHARE   0.9 /* of the best one's score */
#define WRAPPED_LINE 50  /* bytes: a line of a hard-wrapped text is longer than this */

/* True if the text is nothing but blanks. */
static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* Puts a hit into its place in the document's order. */
static void insert(struct model_part *parts, size_t count, const struct model_part *part)
{
    size_t at = count;

    while (at > 0 && parts[at - 1].hit->chunk.ordinal > part->hit->chunk.ordinal) {
        parts[at] = parts[at - 1];
        at--;
    }
    parts[at] = *part;
}

/* The best hit, and others of its document that fit about as well. */
static size_t near_hits(const struct model_request *request, struct model_part *out)
{
    const struct kb_result *found = request->passages;
    size_t count = 0;

    for (size_t i = 0; found != NULL && i < found->count && i < NEAR_LOOKED; i++) {
        const struct kb_hit *hit = &found->hits[i], *best = &found->hits[0];
        bool same = strcmp(hit->chunk.document_id, best->chunk.document_id) == 0;
        if (i == 0 || (count < 2 && same && hit->score >= NEAR_SHARE * best->score)) {
            struct model_part part = {request->question, hit};
            insert(out, count++, &part);
        }
    }
    return count;
}

size_t model_extract_parts(const struct model_request *request, struct model_part out[MODEL_PARTS])
{
    if (request->part_count < 2) {
        return near_hits(request, out);
    }
    CHECK(request->part_count <= MODEL_PARTS);
    memcpy(out, request->parts, request->part_count * sizeof *out);
    return request->part_count;
}

/* True if a new line begins something of its own: a list item, a table row, an empty line. */
static bool begins_item(const char *line)
{
    line += strspn(line, " \t");
    return *line == '\0' || strchr("-*+|#>\n", *line) != NULL ||
           (isdigit((unsigned char)*line) && strchr(".)", line[strspn(line, "0123456789")]) != NULL);
}

/* Joins the lines of hard-wrapped paragraphs: a chat wraps by itself. */
static char *unwrap(const char *text, struct arena *arena)
{
    char *out = arena_strdup(arena, text);
    size_t begin = 0;

    for (size_t i = 0; out[i] != '\0'; i++) {
        if (out[i] != '\n') {
            continue;
        }
        if (i - begin > WRAPPED_LINE && !begins_item(out + i + 1) && !begins_item(out + begin)) {
            out[i] = ' ';
        }
        begin = i + 1;
    }
    return out;
}

const char *model_extract(const struct model_request *request, struct arena *arena)
{
    struct model_part parts[MODEL_PARTS];
    size_t count = model_extract_parts(request, parts);
    const char *text = NULL;

    for (size_t i = 0; i < count; i++) {
        const char *one = kb_excerpt(parts[i].question, &parts[i].hit->chunk, EXTRACT_MAX / count, arena);
        if (one != NULL && !is_blank(one)) {
            one = unwrap(one, arena);
            text = text == NULL ? one : arena_printf(arena, "%s\n\n%s", text, one);
        }
    }
    return text;
}
