/* formats.c: which format a file has, and its text as UTF-8. */
#include "kb/source/formats.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <unicode/ucnv.h>

#include "queue/base/codec.h"

#define CHARSET_MAX  40
#define CHARSET_LOOK 2048

const char *const FORMAT_NAMES[FORMATS] = {"",     "text", "markdown", "html",   "pdf",
                                           "docx", "csv",  "json",     "sitemap"};

enum source_format format_named(const char *name)
{
    for (int i = 1; i < FORMATS; i++) {
        if (strcmp(FORMAT_NAMES[i], name) == 0) {
            return (enum source_format)i;
        }
    }
    return FORMAT_NONE;
}

static const struct {
    const char *ending;
    enum source_format format;
} ENDINGS[] = {{".md", FORMAT_MARKDOWN}, {".markdown", FORMAT_MARKDOWN}, {".txt", FORMAT_TEXT},
               {".html", FORMAT_HTML},   {".htm", FORMAT_HTML},          {".xhtml", FORMAT_HTML},
               {".pdf", FORMAT_PDF},     {".docx", FORMAT_DOCX},         {".csv", FORMAT_CSV},
               {".json", FORMAT_JSON}};

static const struct {
    const char *type;
    enum source_format format;
} TYPES[] = {{"text/markdown", FORMAT_MARKDOWN},
             {"text/html", FORMAT_HTML},
             {"application/xhtml+xml", FORMAT_HTML},
             {"application/pdf", FORMAT_PDF},
             {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", FORMAT_DOCX},
             {"text/csv", FORMAT_CSV},
             {"application/csv", FORMAT_CSV},
             {"application/json", FORMAT_JSON},
             {"text/plain", FORMAT_TEXT}};

/* Files that are certainly none of ours, by their first bytes. */
static const struct {
    const char *bytes;
    size_t size;
    const char *why;
} FOREIGN[] = {
    {"\xD0\xCF\x11\xE0", 4, "This is an old Office file; save it as .docx or PDF."},
    {"{\\rtf", 5, "RTF files cannot be read; save it as .docx or PDF."},
    {"\x89PNG", 4, "This is a picture; only text can be read."},
    {"\xFF\xD8\xFF", 3, "This is a picture; only text can be read."},
    {"GIF8", 4, "This is a picture; only text can be read."},
    {"\x1F\x8B", 2, "Packed files are not opened; add the files one by one."},
    {"Rar!", 4, "Packed files are not opened; add the files one by one."},
    {"7z\xBC\xAF", 4, "Packed files are not opened; add the files one by one."},
    {"\x7F"
     "ELF",
     4, "This is a program, not a document."},
    {"MZ", 2, "This is a program, not a document."},
};

/* The format that a name's ending stands for. */
static enum source_format by_name(const char *filename)
{
    const char *dot = filename != NULL ? strrchr(filename, '.') : NULL;

    for (size_t i = 0; dot != NULL && i < sizeof ENDINGS / sizeof *ENDINGS; i++) {
        if (strcasecmp(dot, ENDINGS[i].ending) == 0) {
            return ENDINGS[i].format;
        }
    }
    return FORMAT_NONE;
}

/* The format that a declared type stands for. */
static enum source_format by_type(const char *mime_type)
{
    size_t len = mime_type != NULL ? strcspn(mime_type, "; ") : 0;

    for (size_t i = 0; len > 0 && i < sizeof TYPES / sizeof *TYPES; i++) {
        if (strlen(TYPES[i].type) == len && strncasecmp(mime_type, TYPES[i].type, len) == 0) {
            return TYPES[i].format;
        }
    }
    return FORMAT_NONE;
}

/* True if the bytes look like the beginning of an HTML page. */
static bool looks_html(const char *bytes, size_t size)
{
    size_t at = 0;

    while (at < size && (unsigned char)bytes[at] <= ' ') {
        at++;
    }
    return size - at > 14 &&
           (strncasecmp(bytes + at, "<!doctype html", 14) == 0 || strncasecmp(bytes + at, "<html", 5) == 0);
}

/* True if there are bytes that no text holds, outside of UTF-16. */
static bool looks_binary(const unsigned char *bytes, size_t size)
{
    size_t look = size < 4096 ? size : 4096, odd = 0;
    bool utf16 =
        size >= 2 && ((bytes[0] == 0xFF && bytes[1] == 0xFE) || (bytes[0] == 0xFE && bytes[1] == 0xFF));

    for (size_t i = 0; i < look && !utf16; i++) {
        odd += bytes[i] == 0 || (bytes[i] < 9) || (bytes[i] > 13 && bytes[i] < 27);
    }
    return odd > look / 100;
}

enum source_format format_detect(const void *bytes, size_t size, const char *mime_type, const char *filename,
                                 const char **why)
{
    enum source_format named = by_name(filename), typed = by_type(mime_type);
    enum source_format told = typed != FORMAT_NONE && typed != FORMAT_TEXT ? typed : named;

    *why = "";
    if (size == 0) {
        *why = "The file is empty.";
        return FORMAT_NONE;
    }
    if (size >= 5 && memcmp(bytes, "%PDF-", 5) == 0) {
        return FORMAT_PDF;
    }
    for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++) {
        if (size >= FOREIGN[i].size && memcmp(bytes, FOREIGN[i].bytes, FOREIGN[i].size) == 0) {
            *why = FOREIGN[i].why;
            return FORMAT_NONE;
        }
    }
    if (size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0) {
        *why = told == FORMAT_DOCX ? "" : "Packed files are not opened; of those only .docx is read.";
        return told == FORMAT_DOCX ? FORMAT_DOCX : FORMAT_NONE;
    }
    if (told == FORMAT_PDF || told == FORMAT_DOCX || looks_binary(bytes, size)) {
        *why = told == FORMAT_PDF ? "The file is called a PDF but is none."
               : told == FORMAT_DOCX
                   ? "The file is called a .docx but is none."
                   : "The file holds no text; text, Markdown, HTML, PDF, DOCX, CSV and JSON are read.";
        return FORMAT_NONE;
    }
    return told == FORMAT_NONE || told == FORMAT_TEXT ? looks_html(bytes, size) ? FORMAT_HTML : FORMAT_TEXT
                                                      : told;
}

/* ---- charsets ---- */

/* Copies the word behind "charset=" into name; false if there is none. */
static bool charset_behind(const char *text, size_t len, char name[CHARSET_MAX])
{
    for (size_t at = 0; at + 8 < len; at++) {
        if (strncasecmp(text + at, "charset=", 8) != 0) {
            continue;
        }
        at += 8;
        at += text[at] == '"' || text[at] == '\'';
        size_t n = 0;
        while (at + n < len && n < CHARSET_MAX - 1 && text[at + n] != '\0' &&
               strchr("\"' ;/>\r\n\t", text[at + n]) == NULL) {
            n++;
        }
        memcpy(name, text + at, n);
        name[n] = '\0';
        return n > 0;
    }
    return false;
}

/* Adds the bytes converted from a charset; false if it is unknown. */
static bool convert(const char *charset, const char *bytes, size_t size, struct buf *out)
{
    UErrorCode error = U_ZERO_ERROR;
    UConverter *from = ucnv_open(charset, &error);

    if (U_FAILURE(error) || from == NULL) {
        return false;
    }
    int32_t room = size > INT32_MAX / 4 ? 0 : (int32_t)(size * 4 + 16);
    char *text = room > 0 ? malloc((size_t)room) : NULL;
    int32_t len = 0;
    if (text != NULL) {
        len = ucnv_toAlgorithmic(UCNV_UTF8, from, text, room, bytes, (int32_t)size, &error);
    }
    if (text != NULL && U_SUCCESS(error)) {
        buf_add(out, text, (size_t)len);
    }
    free(text);
    ucnv_close(from);
    return U_SUCCESS(error);
}

void source_decode(const char *bytes, size_t size, const char *mime_type, bool html, struct buf *out)
{
    const unsigned char *b = (const unsigned char *)bytes;
    char charset[CHARSET_MAX];
    size_t look = size < CHARSET_LOOK ? size : CHARSET_LOOK;

    if (size >= 3 && memcmp(b, "\xEF\xBB\xBF", 3) == 0) {
        utf8_repair(out, bytes + 3, size - 3);
        return;
    }
    if (size >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF))) {
        convert(b[0] == 0xFF ? "UTF-16LE" : "UTF-16BE", bytes + 2, size - 2, out);
        return;
    }
    if (utf8_valid(bytes,
                   size)) { /* whatever is declared: other charsets hardly ever come out as good UTF-8 */
        buf_add(out, bytes, size);
        return;
    }
    if (mime_type != NULL && charset_behind(mime_type, strlen(mime_type), charset) &&
        convert(charset, bytes, size, out)) {
        return;
    }
    if (html && charset_behind(bytes, look, charset) && convert(charset, bytes, size, out)) {
        return;
    }
    convert("windows-1252", bytes, size, out);
}
