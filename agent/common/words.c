/* words.c: text reduced to plain words, and small word patterns over it. */
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "agent/common/words.h"

#include "queue/base/buf.h"
#include "queue/base/codec.h"

#define GAP_MAX   3 /* words that "*" stands for */
#define OPERATORS "|?*^$~"

/* Marks that people leave out or that only help reading: Latin accents, Arabic vowels and stretching. */
static bool is_dropped(utf8proc_int32_t cp)
{
    return (cp >= 0x300 && cp <= 0x36F) || (cp >= 0x64B && cp <= 0x65F) || cp == 0x640 || cp == 0x670;
}

/* Letters, digits and the marks that other scripts need. */
static bool is_word(utf8proc_int32_t cp)
{
    utf8proc_category_t c = utf8proc_category(cp);

    return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT ||
           c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_LO || c == UTF8PROC_CATEGORY_MN ||
           c == UTF8PROC_CATEGORY_MC || c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL;
}

/* Adds one folded character, or a space unless one is there. */
static void add_folded(struct buf *out, utf8proc_int32_t cp, const char *keep)
{
    utf8proc_uint8_t bytes[4];

    if (is_dropped(cp)) {
        return;
    }
    cp = cp == 0x131 ? 'i' : cp; /* Turkish dotless i: typed both ways */
    if (is_word(cp) || (cp > 0 && cp < 0x80 && strchr(keep, (int)cp) != NULL)) {
        buf_add(out, bytes, (size_t)utf8proc_encode_char(cp, bytes));
    } else if (out->len > 0 && out->data[out->len - 1] != ' ') {
        buf_addc(out, ' ');
    }
}

/* The same for one byte of ASCII, which most texts are made of; no table is asked. */
static void add_ascii(struct buf *out, char c, const char *keep)
{
    char low = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;

    if ((low >= 'a' && low <= 'z') || (low >= '0' && low <= '9') || (low != 0 && strchr(keep, low) != NULL)) {
        buf_addc(out, low);
    } else if (out->len > 0 && out->data[out->len - 1] != ' ') {
        buf_addc(out, ' ');
    }
}

/* Folds the first WORDS_TEXT_MAX bytes; characters in keep stay as they are. */
static char *fold(const char *text, const char *keep)
{
    struct buf out;
    size_t size = utf8_prefix(text, strlen(text), WORDS_TEXT_MAX);
    const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text;

    buf_init(&out, 8 * WORDS_TEXT_MAX);
    while (size > 0) {
        utf8proc_int32_t cp, parts[32];
        utf8proc_ssize_t n = *p < 0x80 ? 1 : utf8proc_iterate(p, (utf8proc_ssize_t)size, &cp);
        if (n <= 0) {
            n = 1;
        } else if (*p < 0x80) {
            add_ascii(&out, (char)*p, keep);
        } else {
            utf8proc_ssize_t count = utf8proc_decompose_char(
                cp, parts, 32, UTF8PROC_CASEFOLD | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE, NULL);
            for (utf8proc_ssize_t i = 0; i < count && i < 32; i++) {
                add_folded(&out, parts[i], keep);
            }
        }
        p += n;
        size -= (size_t)n;
    }
    while (out.len > 0 && out.data[out.len - 1] == ' ') {
        out.data[--out.len] = '\0';
    }
    return buf_take(&out, NULL);
}

char *words_fold(const char *text)
{
    return fold(text, "");
}

char *words_fold_pattern(const char *pattern)
{
    return fold(pattern, OPERATORS);
}

/* The size of the word at p. */
static size_t word_size(const char *p)
{
    return strcspn(p, " ");
}

/* Behind the word at p and its space. */
static const char *word_next(const char *p)
{
    p += word_size(p);
    return *p == ' ' ? p + 1 : p;
}

/* True if the word at text is one of the alternatives "a|b|c" (size bytes). */
static bool is_one_of(const char *text, const char *alternatives, size_t size)
{
    size_t n = word_size(text);

    while (size > 0) {
        size_t one = 0;
        while (one < size && alternatives[one] != '|') {
            one++;
        }
        if (n > 0 && n == one && memcmp(text, alternatives, n) == 0) {
            return true;
        }
        size_t used = one < size ? one + 1 : one;
        alternatives += used;
        size -= used;
    }
    return false;
}

/* True if the pattern fits the text from here on. */
static bool match_here(const char *text, const char *pattern)
{
    if (*pattern == '\0') {
        return true;
    }
    const char *rest = word_next(pattern);
    size_t size = word_size(pattern);
    if (*pattern == '$') {
        return *text == '\0';
    }
    if (*pattern == '*') {
        for (int gap = 0; gap < GAP_MAX && *text != '\0'; gap++) {
            if (match_here(text, rest)) {
                return true;
            }
            text = word_next(text);
        }
        return match_here(text, rest);
    }
    if (*pattern == '?') {
        return (is_one_of(text, pattern + 1, size - 1) && match_here(word_next(text), rest)) ||
               match_here(text, rest);
    }
    return is_one_of(text, pattern, size) && match_here(word_next(text), rest);
}

bool words_match(const char *folded, const char *pattern)
{
    if (*pattern == '~') {
        return strstr(folded, pattern + 1) != NULL;
    }
    if (*pattern == '^') {
        return match_here(folded, word_next(pattern));
    }
    for (const char *at = folded; *at != '\0'; at = word_next(at)) {
        if (match_here(at, pattern)) {
            return true;
        }
    }
    return false;
}

/* fn for each of the alternatives "a|b|c" (size bytes). */
static void each_alternative(const char *at, size_t size, words_start_fn fn, void *arg)
{
    const char *end = at + size;

    while (at < end) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        const char *stop = bar != NULL ? bar : end;
        fn(at, (size_t)(stop - at), arg);
        at = bar != NULL ? bar + 1 : end;
    }
}

bool words_starts(const char *pattern, words_start_fn fn, void *arg)
{
    if (*pattern == '^') {
        pattern = word_next(pattern);
    }
    for (; *pattern == '?'; pattern = word_next(pattern)) {
        each_alternative(pattern + 1, word_size(pattern) - 1, fn, arg);
    }
    if (*pattern == '\0' || strchr("*$~", *pattern) != NULL) {
        return false;
    }
    each_alternative(pattern, word_size(pattern), fn, arg);
    return true;
}

size_t words_next(const char **at, const char **word)
{
    size_t size = word_size(*at);

    *word = *at;
    *at = word_next(*at);
    return size;
}

/* True if the text has a character of a script that writes no spaces between words. */
static bool is_unspaced(const char *text)
{
    const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t left = (utf8proc_ssize_t)strlen(text);
    utf8proc_int32_t cp;

    for (utf8proc_ssize_t n = 1; left > 0; p += n, left -= n) {
        n = utf8proc_iterate(p, left, &cp);
        if (n <= 0) {
            return false;
        }
        if ((cp >= 0xE00 && cp <= 0xEFF) || (cp >= 0x1000 && cp <= 0x109F) ||
            (cp >= 0x1780 && cp <= 0x17FF) || (cp >= 0x3040 && cp <= 0x30FF) ||
            (cp >= 0x3400 && cp <= 0x9FFF)) {
            return true;
        }
    }
    return false;
}

bool words_hold(const char *folded, const char *phrase)
{
    size_t size = strlen(phrase);

    if (size == 0) {
        return false;
    }
    const char *first = strstr(folded, phrase);
    for (const char *at = first; at != NULL; at = strstr(at + 1, phrase)) {
        bool begins = at == folded || at[-1] == ' ';
        bool ends = at[size] == '\0' || at[size] == ' ';
        if (begins && ends) {
            return true;
        }
    }
    return first != NULL && is_unspaced(phrase);
}
