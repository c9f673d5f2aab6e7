/* cite.c: source marks of a draft into citations, and citations into the reply's text. */
#include <ctype.h>
#include <string.h>

#include "agent/turn/cite.h"

#define MARK_DIGITS 2

enum cite_style cite_style_of(const char *name)
{
    static const char *const names[] = {
        [CITE_NONE] = "NONE", [CITE_INLINE] = "INLINE", [CITE_FOOTER] = "FOOTER"};

    for (size_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum cite_style)i;
        }
    }
    return CITE_NONE;
}

json_t *cite_hit(const struct kb_hit *hit)
{
    json_t *citation = json_object();

    jx_set_str(citation, "document_id", hit->chunk.document_id);
    jx_set_str(citation, "chunk_id", hit->chunk.id);
    jx_set_str(citation, "title", hit->chunk.title != NULL ? hit->chunk.title : "");
    return citation;
}

/* The number of a mark "[12]" at text and its length; 0 if there is none. */
static unsigned mark_at(const char *text, size_t *size)
{
    unsigned number = 0;
    size_t n = 1;

    if (text[0] != '[') {
        return 0;
    }
    while (n <= MARK_DIGITS && isdigit((unsigned char)text[n])) {
        number = number * 10 + (unsigned)(text[n] - '0');
        n++;
    }
    *size = n + 1;
    return n > 1 && text[n] == ']' ? number : 0;
}

/* Adds the citation of a hit unless it is there. */
static void note(json_t *citations, const struct kb_hit *hit)
{
    for (size_t i = 0; i < json_array_size(citations); i++) {
        if (strcmp(jx_str_or(json_array_get(citations, i), "chunk_id", ""), hit->chunk.id) == 0) {
            return;
        }
    }
    jx_push(citations, cite_hit(hit));
}

/* Drops blanks before a mark that leaves nothing behind. */
static void trim_end(struct buf *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ') {
        out->data[--out->len] = '\0';
    }
}

/* Puts a mark's source into the text. */
static void place_mark(struct buf *out, const struct kb_hit *hit, enum cite_style style)
{
    trim_end(out);
    if (hit != NULL && style == CITE_INLINE && hit->chunk.title != NULL && hit->chunk.title[0] != '\0') {
        buf_addf(out, " (%s)", hit->chunk.title);
    }
}

/* Adds the line of titles, each once. */
static void add_footer(struct buf *out, const json_t *citations)
{
    const char *before = NULL;

    for (size_t i = 0; i < json_array_size(citations); i++) {
        const char *title = jx_str_or(json_array_get(citations, i), "title", "");
        if (title[0] == '\0' || (before != NULL && strcmp(before, title) == 0)) {
            continue;
        }
        buf_adds(out, before == NULL ? "\n\nSource: " : "; ");
        buf_adds(out, title);
        before = title;
    }
}

char *cite_marks(const char *text, const struct kb_result *found, enum cite_style style, json_t *citations,
                 struct arena *arena)
{
    struct buf out;
    size_t size = 0;

    buf_init(&out, 1u << 20);
    for (size_t i = 0; text[i] != '\0';) {
        unsigned number = mark_at(text + i, &size);
        if (number == 0) {
            buf_addc(&out, text[i++]);
            continue;
        }
        const struct kb_hit *hit = number <= found->count ? &found->hits[number - 1] : NULL;
        if (hit != NULL) {
            note(citations, hit);
        }
        place_mark(&out, hit, style);
        i += size;
    }
    if (style == CITE_FOOTER) {
        add_footer(&out, citations);
    }
    char *result = arena_strndup(arena, buf_str(&out), out.len);
    buf_fini(&out);
    return result;
}

char *cite_append(const char *text, const json_t *citations, enum cite_style style, struct arena *arena)
{
    struct buf out;
    const char *title = jx_str_or(json_array_get(citations, 0), "title", "");

    buf_init(&out, 1u << 20);
    buf_adds(&out, text);
    if (style == CITE_INLINE && title[0] != '\0') {
        buf_addf(&out, " (%s)", title);
    } else if (style == CITE_FOOTER) {
        add_footer(&out, citations);
    }
    char *result = arena_strndup(arena, buf_str(&out), out.len);
    buf_fini(&out);
    return result;
}
