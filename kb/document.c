/* document.c: document records: types, derived fields, chunks. */
#include <stdlib.h>
#include <string.h>

#include "kb/document.h"
#include "kb/rows.h"
#include "kb/split.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define PHRASINGS_MAX  1000
#define PHRASING_BYTES 1000
#define BYTES_A_TOKEN  3.6
#define FIELDS_ALWAYS  4 /* of those hashed: the others count where they are */

#define KB_SPLIT_SOURCE -1 /* not cut: its pages are */

static const struct doc_type {
    const char *name;
    int mode; /* enum kb_split_mode */
} DOC_TYPES[] = {
    {"text", KB_SPLIT_PLAIN},  {"faq", KB_SPLIT_WHOLE},   {"markdown", KB_SPLIT_MARKDOWN},
    {"html", KB_SPLIT_SOURCE}, {"url", KB_SPLIT_SOURCE},  {"sitemap", KB_SPLIT_SOURCE},
    {"file", KB_SPLIT_SOURCE}, {"feed", KB_SPLIT_SOURCE},
};

/* The row of a type name, or NULL. */
static const struct doc_type *doc_type_row(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof DOC_TYPES / sizeof *DOC_TYPES; i++) {
        if (strcmp(DOC_TYPES[i].name, name) == 0) {
            return &DOC_TYPES[i];
        }
    }
    return NULL;
}

bool kb_doc_type_known(const char *doc_type)
{
    return doc_type_row(doc_type) != NULL;
}

bool kb_doc_type_source(const char *doc_type)
{
    const struct doc_type *type = doc_type_row(doc_type);

    return type != NULL && type->mode == KB_SPLIT_SOURCE;
}

json_t *kb_page_document(const json_t *page, const json_t *source)
{
    json_t *doc = json_object();
    const char *title = jx_str_or(page, "title", "");

    jx_set_str(doc, "id", jx_str_or(page, "id", ""));
    jx_set_str(doc, "document_id", jx_str_or(source, "id", ""));
    jx_set_str(doc, "collection_id", jx_str(source, "collection_id"));
    jx_set_str(doc, "title", title[0] != '\0' ? title : jx_str_or(source, "title", ""));
    jx_set_str(doc, "content", jx_str_or(page, "content", ""));
    jx_set_str(doc, "doc_type", "markdown");
    jx_set_bool(doc, "enabled", jx_bool(source, "enabled", true));
    if (jx_int(page, "ordinal", 0) == 0 && jx_arr(source, "phrasings") != NULL) {
        jx_set(doc, "phrasings", json_incref(jx_arr(source, "phrasings")));
    }
    return doc;
}

/* Adds a field and its length to the hashed text, so that no two records share one text. */
static void digest_add(struct buf *text, const char *value)
{
    buf_addf(text, "%zu:", strlen(value));
    buf_adds(text, value);
}

void kb_document_digest(const json_t *doc, uint8_t out[32])
{
    static const char *const FIELDS[] = {"collection_id", "title",       "content",    "doc_type",
                                         "url",           "file_sha256", "document_id"};
    const json_t *phrasings = jx_arr(doc, "phrasings");
    struct buf text;

    buf_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        if (i < FIELDS_ALWAYS || jx_str(doc, FIELDS[i]) != NULL) {
            digest_add(&text, jx_str_or(doc, FIELDS[i], ""));
        }
    }
    for (size_t i = 0; i < json_array_size(phrasings); i++) {
        const char *phrasing = json_string_value(json_array_get(phrasings, i));
        digest_add(&text, phrasing != NULL ? phrasing : "");
    }
    sha256(buf_str(&text), text.len, out);
    buf_fini(&text);
}

/* The phrasing without white space around it, cut to its largest size. */
static char *phrasing_trim(const char *text)
{
    text += strspn(text, " \t\r\n");
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL) {
        len--;
    }
    len = len > PHRASING_BYTES ? PHRASING_BYTES : len;
    while (len > 0 && len == PHRASING_BYTES && ((unsigned char)text[len] & 0xC0) == 0x80) {
        len--;
    }
    return xstrndup(text, len);
}

/* True if the list has the text. */
static bool list_has(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0) {
            return true;
        }
    }
    return false;
}

/* A new list of the phrasings: texts only, trimmed, each once. */
static json_t *phrasings_normal(const json_t *given)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(given) && json_array_size(list) < PHRASINGS_MAX; i++) {
        const char *value = json_string_value(json_array_get(given, i));
        char *text = phrasing_trim(value != NULL ? value : "");
        if (text[0] != '\0' && !list_has(list, text)) {
            jx_push(list, json_string(text));
        }
        free(text);
    }
    return list;
}

enum err kb_document_learn(json_t *doc, const char *phrasing)
{
    json_t *list = phrasings_normal(jx_arr(doc, "phrasings"));
    char *text = phrasing_trim(phrasing);
    enum err rc = text[0] == '\0' ? ERR_INVALID : ERR_OK;

    if (rc == ERR_OK && !list_has(list, text)) {
        rc = json_array_size(list) < PHRASINGS_MAX ? ERR_OK : ERR_LIMIT;
        jx_push(list, json_string(text));
    }
    if (rc == ERR_OK) {
        jx_set(doc, "phrasings", json_incref(list));
        kb_document_prepare(doc);
    }
    json_decref(list);
    free(text);
    return rc;
}

void kb_document_prepare(json_t *doc)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    const char *content = jx_str_or(doc, "content", "");
    bool empty = content[strspn(content, " \t\r\n")] == '\0';

    jx_set(doc, "phrasings", phrasings_normal(jx_arr(doc, "phrasings")));
    jx_set_bool(doc, "enabled", jx_bool(doc, "enabled", true));
    kb_document_digest(doc, digest);
    hex_encode(digest, sizeof digest, hex);
    jx_set_str(doc, "hash", hex);
    if (kb_doc_type_source(jx_str(doc, "doc_type"))) {
        return; /* its size and status come when it is read */
    }
    jx_set_int(doc, "size", (int64_t)strlen(content));
    jx_set_str(doc, "status", empty ? "failed" : "ready");
    if (empty) {
        jx_set_str(doc, "reason", "The document has no text.");
    } else {
        json_object_del(doc, "reason");
    }
}

bool kb_document_findable(const json_t *doc)
{
    return jx_bool(doc, "enabled", true) && jx_str(doc, "collection_id") != NULL &&
           !kb_doc_type_source(jx_str(doc, "doc_type")) &&
           strcmp(jx_str_or(doc, "status", "ready"), "failed") != 0;
}

/* The document's title, then the headings that do not just repeat it. */
static const char *chunk_title(struct arena *arena, const char *title, const char *heading)
{
    size_t len = strlen(title);

    if (strncmp(heading, title, len) == 0 &&
        (heading[len] == '\0' || strncmp(heading + len, " > ", 3) == 0)) {
        return heading[0] == '\0' ? title : heading;
    }
    return heading[0] == '\0' ? title : len == 0 ? heading : arena_printf(arena, "%s > %s", title, heading);
}

/* The passage, below the head of its table if it goes on with one. */
static const char *chunk_text(struct arena *arena, const char *content, const struct kb_passage *p)
{
    if (p->head_size == 0) {
        return arena_strndup(arena, content + p->offset, p->size);
    }
    return arena_printf(arena, "%.*s\n%.*s", (int)p->head_size, content + p->head, (int)p->size,
                        content + p->offset);
}

enum err kb_document_chunks(const json_t *doc, struct arena *arena, struct kb_chunk **out, size_t *count)
{
    const char *content = jx_str_or(doc, "content", "");
    const struct doc_type *type = doc_type_row(jx_str_or(doc, "doc_type", "text"));
    struct kb_passages passages;

    *out = NULL;
    *count = 0;
    if (type == NULL || type->mode == KB_SPLIT_SOURCE) {
        return ERR_INVALID;
    }
    const char *id = arena_strdup(arena, jx_str_or(doc, "id", ""));
    const char *source = jx_str(doc, "document_id");
    source = source != NULL ? arena_strdup(arena, source) : NULL;
    const char *title = arena_strdup(arena, jx_str_or(doc, "title", ""));
    kb_split(content, strlen(content), (enum kb_split_mode)type->mode, arena, &passages);
    struct kb_chunk *chunks = arena_alloc(arena, (passages.count + 1) * sizeof *chunks);
    for (size_t i = 0; i < passages.count; i++) {
        const struct kb_passage *p = &passages.rows[i];
        chunks[i] = (struct kb_chunk){
            .id = kb_chunk_id(arena, id, (unsigned)i),
            .document_id = source != NULL ? source : id,
            .page_id = source != NULL ? id : "",
            .title = chunk_title(arena, title, p->heading),
            .text = chunk_text(arena, content, p),
            .offset = p->offset,
            .ordinal = (unsigned)i,
            .tokens = (unsigned)((double)p->size / BYTES_A_TOKEN + 0.5),
        };
    }
    *out = chunks;
    *count = passages.count;
    return ERR_OK;
}

/* Adds a chunk's title: the last heading is its own, those above and the document's title are shared with
 * others and count less, or every sub-heading of "Opening hours" would be about opening hours as much as its
 * first passage. */
static void bag_add_title(struct kb_bag *bag, const char *title)
{
    const char *own = title;

    for (const char *at = strstr(title, " > "); at != NULL; at = strstr(own, " > ")) {
        own = at + 3;
    }
    kb_bag_add(bag, title, (size_t)(own - title), KB_PATH_WEIGHT);
    kb_bag_add(bag, own, strlen(own), KB_TITLE_WEIGHT);
}

void kb_document_bag(const json_t *doc, const struct kb_chunk *chunk, struct kb_bag *bag)
{
    const json_t *phrasings = jx_arr(doc, "phrasings");

    kb_bag_reset(bag);
    bag_add_title(bag, chunk->title);
    kb_bag_add(bag, chunk->text, strlen(chunk->text), 1);
    for (size_t i = 0; chunk->ordinal == 0 && i < json_array_size(phrasings); i++) {
        const char *phrasing = json_string_value(json_array_get(phrasings, i));
        if (phrasing != NULL) {
            kb_bag_add(bag, phrasing, strlen(phrasing), 1);
        }
    }
}
