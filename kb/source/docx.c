/* docx.c: Word documents: two parts of the packed file are read, the text and the names of its styles.
 *
 * Nothing is unpacked to disk. A part that grows beyond PART_MAX, or by more than RATIO_MAX times the whole
 * file, ends the reading: that is how a small file that unpacks to gigabytes is told. XML entities are never
 * expanded. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <archive.h>
#include <archive_entry.h>
#include <libxml/parser.h>

#include "kb/source/formats.h"

#define PART_MAX    (48u << 20)
#define RATIO_MAX   200
#define RATIO_FREE  (1u << 20) /* below this size any ratio is fine */
#define ENTRIES_MAX 5000
#define PIECE       65536

struct reading {
    struct paper *p;
    xmlParserCtxtPtr parser;
    json_t *styles; /* id -> {"level", "list"} */
    char style[80]; /* id of the style being read */
    bool in_text;
    unsigned tables;
    unsigned deleted;
    unsigned properties; /* inside a paragraph's properties */
};

/* The value of the attribute with this local name, copied and cut into out; "" if absent. */
static void value_of(const xmlChar **list, int count, const char *name, char *out, size_t room)
{
    out[0] = '\0';
    for (int i = 0; i < count; i++, list += 5) {
        size_t len = (size_t)(list[4] - list[3]);
        if (strcmp((const char *)list[0], name) == 0) {
            len = len < room - 1 ? len : room - 1;
            memcpy(out, list[3], len);
            out[len] = '\0';
            return;
        }
    }
}

/* ---- styles ---- */

/* Level of a heading style's name ("heading 2", "Title"), 0 if it is none. */
static int style_level(const char *name)
{
    if (strcasecmp(name, "title") == 0) {
        return 1;
    }
    bool heading = strncasecmp(name, "heading", 7) == 0;
    const char *digit = heading ? name + 7 + strspn(name + 7, " ") : "";

    return *digit >= '1' && *digit <= '9' ? (*digit > '6' ? 6 : *digit - '0') : 0;
}

static void style_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                        int namespaces, const xmlChar **spaces, int count, int defaulted,
                        const xmlChar **list)
{
    struct reading *r = arg;
    char value[120];

    (void)prefix, (void)uri, (void)namespaces, (void)spaces, (void)defaulted;
    if (strcmp((const char *)name, "style") == 0) {
        value_of(list, count, "styleId", r->style, sizeof r->style);
    } else if (strcmp((const char *)name, "name") == 0 && r->style[0] != '\0') {
        value_of(list, count, "val", value, sizeof value);
        int level = style_level(value);
        if (level > 0 && json_object_size(r->styles) < 1000) {
            jx_set_int(r->styles, r->style, level);
        }
        r->style[0] = '\0';
    }
}

/* ---- the text ---- */

/* A paragraph's property that matters. */
static void property(struct reading *r, const char *name, int count, const xmlChar **list)
{
    char value[120];

    if (strcmp(name, "pStyle") == 0) {
        value_of(list, count, "val", value, sizeof value);
        int64_t level = jx_int(r->styles, value, style_level(value));
        if (level > 0 && r->tables == 0) {
            paper_heading(r->p, (unsigned)level);
        }
    } else if (strcmp(name, "ilvl") == 0) {
        value_of(list, count, "val", value, sizeof value);
        paper_item(r->p, value[0] >= '0' && value[0] <= '9' ? (unsigned)(value[0] - '0') : 0);
    }
}

static void text_start(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri,
                       int namespaces, const xmlChar **spaces, int count, int defaulted, const xmlChar **list)
{
    struct reading *r = arg;
    const char *name = (const char *)local;

    (void)prefix, (void)uri, (void)namespaces, (void)spaces, (void)defaulted;
    if (strcmp(name, "p") == 0) {
        paper_block(r->p);
    } else if (strcmp(name, "pPr") == 0) {
        r->properties++;
    } else if (r->properties > 0) {
        property(r, name, count, list);
    } else if (strcmp(name, "t") == 0) {
        r->in_text = r->deleted == 0;
    } else if (strcmp(name, "tab") == 0 || strcmp(name, "br") == 0 || strcmp(name, "cr") == 0) {
        paper_text(r->p, " ", 1);
    } else if (strcmp(name, "del") == 0) {
        r->deleted++;
    } else if (strcmp(name, "tbl") == 0) {
        r->tables++;
        paper_table_start(r->p);
    } else if (strcmp(name, "tr") == 0) {
        paper_row(r->p);
    } else if (strcmp(name, "tc") == 0) {
        paper_cell(r->p);
    }
}

static void text_end(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    struct reading *r = arg;
    const char *name = (const char *)local;

    (void)prefix, (void)uri;
    if (strcmp(name, "pPr") == 0) {
        r->properties -= r->properties > 0;
    } else if (strcmp(name, "t") == 0) {
        r->in_text = false;
    } else if (strcmp(name, "p") == 0) {
        paper_block(r->p);
    } else if (strcmp(name, "del") == 0) {
        r->deleted -= r->deleted > 0;
    } else if (strcmp(name, "tbl") == 0) {
        r->tables -= r->tables > 0;
        paper_table_end(r->p);
    }
}

static void text_take(void *arg, const xmlChar *text, int len)
{
    struct reading *r = arg;

    if (r->in_text && len > 0) {
        paper_text(r->p, (const char *)text, (size_t)len);
    }
    if (paper_done(r->p)) {
        xmlStopParser(r->parser);
    }
}

static void on_error(void *arg, const char *text, ...)
{
    (void)arg;
    (void)text;
}

/* Feeds one part to the events of sax; false if it is no XML. */
static bool parse(struct reading *r, xmlSAXHandler *sax, const char *xml, size_t size)
{
    sax->initialized = XML_SAX2_MAGIC;
    sax->warning = on_error;
    sax->error = on_error;
    r->parser = xmlCreatePushParserCtxt(sax, r, NULL, 0, NULL);
    if (r->parser == NULL) {
        return false;
    }
    xmlCtxtUseOptions(r->parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    for (size_t at = 0; at < size && !paper_done(r->p); at += PIECE) {
        xmlParseChunk(r->parser, xml + at, (int)(size - at < PIECE ? size - at : PIECE), 0);
    }
    if (!paper_done(r->p)) {
        xmlParseChunk(r->parser, xml, 0, 1);
    }
    bool good = r->parser->wellFormed != 0;
    xmlFreeParserCtxt(r->parser);
    return good;
}

void source_docx_xml(struct paper *p, const char *xml, size_t size, const char *styles, size_t styles_size)
{
    struct reading r = {.p = p, .styles = json_object()};
    xmlSAXHandler style_events = {.startElementNs = style_start};
    xmlSAXHandler text_events = {
        .startElementNs = text_start, .endElementNs = text_end, .characters = text_take};

    if (styles_size > 0) {
        parse(&r, &style_events, styles, styles_size); /* a damaged one costs the headings only */
    }
    if (!parse(&r, &text_events, xml, size)) {
        paper_refuse(p, "The Word document is damaged.");
    }
    json_decref(r.styles);
}

/* ---- the packed file ---- */

/* Reads one entry; false when it unpacks to more than it may. */
static bool entry_read(struct archive *zip, struct buf *out, size_t packed)
{
    char piece[16384];

    for (;;) {
        la_ssize_t got = archive_read_data(zip, piece, sizeof piece);
        if (got <= 0) {
            return got == 0;
        }
        buf_add(out, piece, (size_t)got);
        if (!buf_ok(out) || (out->len > RATIO_FREE && out->len / RATIO_MAX > packed)) {
            return false;
        }
    }
}

/* Finds the two parts. */
static void parts_read(struct paper *p, struct archive *zip, size_t packed, struct buf *text,
                       struct buf *styles)
{
    struct archive_entry *entry;
    unsigned entries = 0;

    while (!paper_done(p) && archive_read_next_header(zip, &entry) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(entry);
        struct buf *part = name == NULL                             ? NULL
                           : strcmp(name, "word/document.xml") == 0 ? text
                           : strcmp(name, "word/styles.xml") == 0   ? styles
                                                                    : NULL;
        if (++entries > ENTRIES_MAX) {
            paper_refuse(p, "The Word document holds too many parts.");
        } else if (part != NULL && part->len == 0 && !entry_read(zip, part, packed)) {
            paper_refuse(p, "The Word document is damaged, or unpacks to far more than it may.");
        }
    }
}

void source_docx(struct paper *p, const void *bytes, size_t size)
{
    struct archive *zip = archive_read_new();
    struct buf text, styles;

    buf_init(&text, PART_MAX);
    buf_init(&styles, PART_MAX / 8);
    archive_read_support_format_zip(zip);
    if (archive_read_open_memory(zip, bytes, size) != ARCHIVE_OK) {
        paper_refuse(p, "The Word document is damaged.");
    } else {
        parts_read(p, zip, size, &text, &styles);
    }
    archive_read_free(zip);
    if (!paper_done(p) && text.len == 0) {
        paper_refuse(p, "The file is called a .docx but holds no Word document.");
    } else if (!paper_done(p)) {
        source_docx_xml(p, buf_str(&text), text.len, buf_str(&styles), styles.len);
    }
    buf_fini(&text);
    buf_fini(&styles);
}
