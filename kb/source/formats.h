/* formats.h: the parsers, each from bytes to paper. They run in the extraction child, and under the fuzzer.
 *
 * Text must be UTF-8 (source_decode) where a parser takes it; the parsers bound their own memory and end for
 * every input. base: the address that relative links are resolved against, NULL: links are not wanted.
 * Thread: any. */
#ifndef CHASQUI_KB_SOURCE_FORMATS_H
#define CHASQUI_KB_SOURCE_FORMATS_H

#include "kb/source/paper.h"
#include "queue/base/buf.h"

enum source_format {
    FORMAT_NONE,
    FORMAT_TEXT,
    FORMAT_MARKDOWN,
    FORMAT_HTML,
    FORMAT_PDF,
    FORMAT_DOCX,
    FORMAT_CSV,
    FORMAT_JSON,
    FORMAT_SITEMAP,
    FORMATS
};
extern const char *const FORMAT_NAMES[FORMATS];
enum source_format format_named(const char *name);

/* The format of a file: by its first bytes, its name, its declared type; hints may be NULL. FORMAT_NONE: none
 * of ours, and *why says so in a sentence. */
enum source_format format_detect(const void *bytes, size_t size, const char *mime_type, const char *filename,
                                 const char **why);

/* Adds the text as UTF-8: by its byte-order mark, the declared charset, a charset that HTML names itself,
 * else UTF-8 if it is, else Windows-1252. */
void source_decode(const char *bytes, size_t size, const char *mime_type, bool html, struct buf *out);

void source_text(struct paper *p, const char *text, size_t len);
void source_markdown(struct paper *p, const char *text, size_t len);
void source_html(struct paper *p, const char *text, size_t len, const char *base);
void source_docx(struct paper *p, const void *bytes, size_t size);
/* The main part of a DOCX and its styles; styles may be empty. */
void source_docx_xml(struct paper *p, const char *xml, size_t size, const char *styles, size_t styles_size);
void source_csv(struct paper *p, const char *text, size_t len);
void source_json(struct paper *p, const char *text, size_t len);
/* Page addresses as links; "sitemap:" stands in front of the address of another sitemap. */
void source_sitemap(struct paper *p, const char *bytes, size_t size);

#endif
