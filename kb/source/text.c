/* text.c: plain text and Markdown onto paper. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <md4c.h>

#include "kb/source/formats.h"

#define NEST_MAX 1000

void source_text(struct paper *p, const char *text, size_t len)
{
    size_t at = 0;

    while (at < len && !paper_done(p)) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line = end == NULL ? len - at : (size_t)(end - text) - at;
        size_t ink = 0;
        while (ink < line && (unsigned char)text[at + ink] <= ' ') {
            ink++;
        }
        if (ink == line) {
            paper_block(p);
        } else {
            paper_raw(p, text + at, line);
            paper_raw(p, "\n", 1);
        }
        at += line + 1;
    }
}

/* ---- Markdown ---- */

struct reading {
    struct paper *p;
    unsigned lists;  /* depth */
    unsigned nested; /* blocks open */
    bool code;
    bool head; /* inside the first heading, which becomes the title */
    bool titled;
};

static int block_enter(MD_BLOCKTYPE type, void *detail, void *arg)
{
    struct reading *r = arg;

    if (++r->nested > NEST_MAX) {
        paper_refuse(r->p, "The Markdown is nested too deeply.");
        return 1;
    }
    switch (type) {
    case MD_BLOCK_H:
        paper_heading(r->p, ((MD_BLOCK_H_DETAIL *)detail)->level);
        r->head = !r->titled;
        break;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        paper_block(r->p);
        r->lists++;
        break;
    case MD_BLOCK_LI:
        paper_item(r->p, r->lists > 0 ? r->lists - 1 : 0);
        break;
    case MD_BLOCK_CODE:
        paper_block(r->p);
        r->code = true;
        break;
    case MD_BLOCK_TABLE:
        paper_table_start(r->p);
        break;
    case MD_BLOCK_TR:
        paper_row(r->p);
        break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        paper_cell(r->p);
        break;
    default:
        break;
    }
    return paper_done(r->p);
}

static int block_leave(MD_BLOCKTYPE type, void *detail, void *arg)
{
    struct reading *r = arg;

    (void)detail;
    r->nested--;
    switch (type) {
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        paper_block(r->p);
        r->lists--;
        break;
    case MD_BLOCK_TABLE:
        paper_table_end(r->p);
        break;
    case MD_BLOCK_H:
    case MD_BLOCK_P:
    case MD_BLOCK_CODE:
        paper_block(r->p);
        r->titled = r->titled || r->head;
        r->head = r->code = false;
        break;
    default:
        break;
    }
    return paper_done(r->p);
}

static int span_pass(MD_SPANTYPE type, void *detail, void *arg)
{
    (void)type;
    (void)detail;
    (void)arg;
    return 0;
}

static int text_take(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *arg)
{
    struct reading *r = arg;

    if (type == MD_TEXT_HTML) {
        return 0; /* raw HTML inside Markdown is not text */
    }
    if (type == MD_TEXT_BR || type == MD_TEXT_SOFTBR) {
        paper_text(r->p, " ", 1);
    } else if (r->code) {
        paper_raw(r->p, text, size);
    } else {
        if (r->head) {
            paper_title(r->p, text, size);
        }
        paper_text(r->p, text, size);
    }
    return paper_done(r->p);
}

void source_markdown(struct paper *p, const char *text, size_t len)
{
    struct reading r = {.p = p};
    MD_PARSER parser = {.flags = MD_FLAG_TABLES | MD_FLAG_PERMISSIVEATXHEADERS | MD_FLAG_STRIKETHROUGH,
                        .enter_block = block_enter,
                        .leave_block = block_leave,
                        .enter_span = span_pass,
                        .leave_span = span_pass,
                        .text = text_take};

    if (md_parse(text, (MD_SIZE)len, &parser, &r) < 0) {
        paper_refuse(p, "The Markdown could not be read.");
    }
}
