/* paper.c: blocks to Markdown; see paper.h. */
#include "kb/source/paper.h"

#include <stdlib.h>
#include <string.h>

#include "kb/source/extract.h"
#include "queue/base/codec.h"

#define LEVELS      6
#define HEADING_MAX 300
#define TITLE_MAX   300
#define BLOCK_MAX   (64u << 20)
#define DEPTH_MAX   5 /* of list items that are shown as deeper */
#define HEAD_MAX    400

struct paper {
    size_t max, total;
    struct buf block;   /* text of the open block */
    struct buf section; /* Markdown of the open section */
    struct buf path;    /* heading path at its start */
    size_t prologue;    /* bytes of it that only repeat headings */
    json_t *sections, *links, *seen;
    char *levels[LEVELS]; /* open headings, owned */
    unsigned heading;     /* of the open block, 0: none */
    bool item;
    unsigned item_depth;
    unsigned tables; /* nesting */
    unsigned rows;   /* of the outer table, rows with more than one cell */
    json_t *cells;   /* of the open row; NULL: no row */
    bool in_cell;
    struct buf head; /* of the open table, repeated in new sections */
    char *title, *reason;
    bool space, empty_line;
};

struct paper *paper_new(size_t max)
{
    struct paper *p = xcalloc(1, sizeof *p);

    p->max = max;
    buf_init(&p->block, BLOCK_MAX);
    buf_init(&p->section, BLOCK_MAX);
    buf_init(&p->path, 8192);
    buf_init(&p->head, 8192);
    p->sections = json_array();
    p->links = json_array();
    p->seen = json_object();
    return p;
}

void paper_free(struct paper *p)
{
    for (size_t i = 0; i < LEVELS; i++) {
        free(p->levels[i]);
    }
    buf_fini(&p->block);
    buf_fini(&p->section);
    buf_fini(&p->path);
    buf_fini(&p->head);
    json_decref(p->sections);
    json_decref(p->links);
    json_decref(p->seen);
    json_decref(p->cells);
    free(p->title);
    free(p->reason);
    free(p);
}

void paper_refuse(struct paper *p, const char *reason)
{
    if (p->reason == NULL) {
        p->reason = xstrdup(reason);
    }
}

bool paper_done(const struct paper *p)
{
    return p->reason != NULL;
}

/* ---- sections ---- */

/* Starts a section below the headings that are open. */
static void section_start(struct paper *p)
{
    buf_reset(&p->section);
    buf_reset(&p->path);
    for (size_t i = 0; i < LEVELS; i++) {
        if (p->levels[i] != NULL && p->levels[i][0] != '\0') {
            buf_addf(&p->path, "%s%s", p->path.len > 0 ? " > " : "", p->levels[i]);
            buf_addf(&p->section, "%.*s %s\n\n", (int)i + 1, "######", p->levels[i]);
        }
    }
    p->prologue = p->section.len;
}

/* Puts the open section away if it holds more than headings. */
static void section_end(struct paper *p)
{
    size_t len = p->section.len;

    while (len > 0 && strchr(" \n", p->section.data[len - 1]) != NULL) {
        len--;
    }
    if (p->section.len <= p->prologue || len == 0) {
        return;
    }
    json_t *row = json_object();
    jx_set_str(row, "title", buf_str(&p->path));
    jx_set_strn(row, "text", p->section.data, len);
    jx_push(p->sections, row);
    p->section.len = p->prologue;
}

/* Makes room for a piece of text in the open section, or opens another; false when the bound is reached. */
static bool section_room(struct paper *p, size_t size)
{
    p->total += size;
    if (p->total > p->max) {
        paper_refuse(p, "The file holds more text than one source may have; split it into several files.");
        return false;
    }
    if (p->section.len + size > EXTRACT_SECTION && p->section.len > p->prologue) {
        section_end(p);
        section_start(p);
        if (p->tables > 0 && p->head.len > 0) {
            buf_add(&p->section, p->head.data, p->head.len);
            p->prologue = p->section.len;
        }
    }
    return true;
}

/* Writes a block: mark, text, end; a text longer than a section is cut. */
static void emit(struct paper *p, const char *mark, const char *text, size_t len, const char *end)
{
    while (len > 0 && !paper_done(p)) {
        size_t piece = len > EXTRACT_SECTION ? utf8_prefix(text, len, EXTRACT_SECTION) : len;
        piece = piece > 0 ? piece : len;
        if (!section_room(p, piece + strlen(mark) + strlen(end))) {
            return;
        }
        buf_adds(&p->section, mark);
        buf_add(&p->section, text, piece);
        buf_adds(&p->section, end);
        text += piece;
        len -= piece;
    }
}

/* ---- blocks ---- */

/* The open block without white space at its ends. */
static size_t block_trim(struct paper *p, const char **text)
{
    const char *from = buf_str(&p->block);
    size_t len = p->block.len;

    while (len > 0 && strchr(" \n\t", from[0]) != NULL) {
        from++;
        len--;
    }
    while (len > 0 && strchr(" \n\t", from[len - 1]) != NULL) {
        len--;
    }
    *text = from;
    return len;
}

/* The block is a heading: headings below it close. */
static void emit_heading(struct paper *p, const char *text, size_t len)
{
    unsigned level = p->heading;
    char mark[LEVELS + 2] = "###### ";
    char *title = xstrndup(text, utf8_prefix(text, len, HEADING_MAX));

    for (char *c = title; *c != '\0'; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
    if (p->section.len > EXTRACT_SECTION / 2) {
        section_end(p);
    }
    for (unsigned i = level - 1; i < LEVELS; i++) {
        free(p->levels[i]);
        p->levels[i] = NULL;
    }
    if (p->section.len <= p->prologue) {
        section_start(p); /* the levels above this heading */
        p->levels[level - 1] = title;
        buf_addf(&p->path, "%s%s", p->path.len > 0 ? " > " : "", title);
    } else {
        p->levels[level - 1] = title;
    }
    p->total += len;
    bool bare = p->section.len == p->prologue;
    buf_addf(&p->section, "%s%s\n\n", mark + LEVELS - level, title);
    p->empty_line = true;
    if (bare) {
        p->prologue = p->section.len; /* a heading alone is no section */
    }
}

/* Adds the block to the open cell. */
static void block_to_cell(struct paper *p)
{
    p->space = p->block.len > 0;
    p->heading = 0;
    p->item = false;
}

void paper_block(struct paper *p)
{
    const char *text;
    char mark[2 * DEPTH_MAX + 4] = "";

    if (p->in_cell) {
        block_to_cell(p);
        return;
    }
    size_t len = block_trim(p, &text);
    if (len > 0 && p->heading > 0) {
        emit_heading(p, text, len);
    } else if (len > 0 && p->item) {
        unsigned depth = p->item_depth > DEPTH_MAX ? DEPTH_MAX : p->item_depth;
        memset(mark, ' ', 2 * (size_t)depth);
        memcpy(mark + 2 * (size_t)depth, "- ", 3);
        emit(p, mark, text, len, "\n");
        p->empty_line = false;
    } else if (len > 0) {
        emit(p, p->empty_line || p->section.len == 0 ? "" : "\n", text, len, "\n\n");
        p->empty_line = true;
    }
    buf_reset(&p->block);
    p->heading = 0;
    p->item = false;
    p->space = false;
}

void paper_heading(struct paper *p, unsigned level)
{
    paper_block(p);
    p->heading = level < 1 ? 1 : level > LEVELS ? LEVELS : level;
}

void paper_item(struct paper *p, unsigned depth)
{
    paper_block(p);
    p->item = true;
    p->item_depth = depth;
}

void paper_text(struct paper *p, const char *text, size_t len)
{
    if (paper_done(p)) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == 0x7F) {
            p->space = true;
            continue;
        }
        if (p->space && p->block.len > 0 && p->block.data[p->block.len - 1] != '\n') {
            buf_addc(&p->block, ' ');
        }
        p->space = false;
        buf_addc(&p->block, (char)c);
    }
    if (!buf_ok(&p->block) || p->block.len > p->max) {
        paper_refuse(p, "The file holds more text than one source may have; split it into several files.");
    }
}

void paper_raw(struct paper *p, const char *text, size_t len)
{
    if (paper_done(p)) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n' || c == '\t' || (c >= ' ' && c != 0x7F)) {
            buf_addc(&p->block, (char)c);
        }
    }
    p->space = false;
    if (!buf_ok(&p->block) || p->block.len > p->max) {
        paper_refuse(p, "The file holds more text than one source may have; split it into several files.");
    }
}

/* ---- tables ---- */

/* Puts the open cell into the open row. */
static void cell_end(struct paper *p)
{
    const char *text;

    if (!p->in_cell) {
        return;
    }
    size_t len = block_trim(p, &text);
    json_t *cell = json_object();
    jx_set_strn(cell, "t", text, len);
    jx_push(p->cells, cell);
    buf_reset(&p->block);
    p->in_cell = false;
    p->space = false;
}

/* Adds "| a | b |" and a line feed. */
static void row_write(const struct paper *p, struct buf *out)
{
    size_t i;
    json_t *cell;

    buf_addc(out, '|');
    json_array_foreach (p->cells, i, cell) {
        buf_addc(out, ' ');
        for (const char *c = jx_str_or(cell, "t", ""); *c != '\0'; c++) {
            buf_adds(out, *c == '|' ? "\\" : "");
            buf_addc(out, *c == '\n' ? ' ' : *c);
        }
        buf_adds(out, " |");
    }
    buf_addc(out, '\n');
}

/* The first row of a table is its head: the rule follows, and both are kept to be repeated. */
static void row_is_head(struct paper *p, struct buf *row)
{
    buf_addc(row, '|');
    for (size_t i = 0; i < json_array_size(p->cells); i++) {
        buf_adds(row, "---|");
    }
    buf_addc(row, '\n');
    buf_reset(&p->head);
    if (row->len <= HEAD_MAX) {
        buf_add(&p->head, row->data, row->len);
    }
}

/* Writes the open row; a row of one cell is a paragraph. */
static void row_end(struct paper *p)
{
    struct buf row;

    cell_end(p);
    size_t count = json_array_size(p->cells);
    if (count == 1) {
        const char *only = jx_str_or(json_array_get(p->cells, 0), "t", "");
        emit(p, "", only, strlen(only), "\n\n");
    } else if (count > 1) {
        buf_init(&row, BLOCK_MAX);
        row_write(p, &row);
        if (p->rows++ == 0) {
            row_is_head(p, &row);
        }
        emit(p, "", buf_str(&row), row.len, "");
        buf_fini(&row);
    }
    json_decref(p->cells);
    p->cells = NULL;
}

void paper_table_start(struct paper *p)
{
    if (p->tables++ == 0) {
        paper_block(p);
        p->rows = 0;
        buf_reset(&p->head);
    } else {
        p->space = true;
    }
}

void paper_row(struct paper *p)
{
    if (p->tables != 1) {
        p->space = true;
        return;
    }
    if (p->cells != NULL) {
        row_end(p);
    } else {
        paper_block(p);
    }
    p->cells = json_array();
}

void paper_cell(struct paper *p)
{
    if (p->tables != 1) {
        p->space = true;
        return;
    }
    if (p->cells == NULL) {
        paper_row(p);
    }
    cell_end(p);
    buf_reset(&p->block);
    p->in_cell = true;
}

void paper_table_end(struct paper *p)
{
    if (p->tables == 0 || --p->tables > 0) {
        return;
    }
    if (p->cells != NULL) {
        row_end(p);
    }
    buf_reset(&p->head);
    emit(p, "", "\n", 1, "");
    p->empty_line = true;
}

/* ---- the rest ---- */

void paper_title(struct paper *p, const char *text, size_t len)
{
    while (len > 0 && (unsigned char)text[0] <= ' ') {
        text++;
        len--;
    }
    while (len > 0 && (unsigned char)text[len - 1] <= ' ') {
        len--;
    }
    if (p->title == NULL && len > 0) {
        p->title = xstrndup(text, utf8_prefix(text, len, TITLE_MAX));
        for (char *c = p->title; *c != '\0'; c++) {
            *c = (unsigned char)*c < ' ' ? ' ' : *c;
        }
    }
}

void paper_link(struct paper *p, const char *url)
{
    if (json_array_size(p->links) < PAPER_LINKS && json_object_get(p->seen, url) == NULL &&
        utf8_valid(url, strlen(url))) {
        jx_set(p->seen, url, json_true());
        jx_push(p->links, json_string(url));
    }
}

json_t *paper_result(struct paper *p)
{
    json_t *result = json_object();

    while (p->tables > 0) {
        paper_table_end(p);
    }
    paper_block(p);
    section_end(p);
    if (p->reason == NULL && json_array_size(p->sections) == 0 && json_array_size(p->links) == 0) {
        paper_refuse(p, "The file holds no text; it may be empty or hold only pictures.");
    }
    jx_set_bool(result, "ok", p->reason == NULL);
    if (p->reason != NULL) {
        jx_set_str(result, "reason", p->reason);
        return result;
    }
    jx_set_str(result, "title", p->title != NULL ? p->title : "");
    jx_set(result, "sections", json_incref(p->sections));
    jx_set(result, "links", json_incref(p->links));
    return result;
}
