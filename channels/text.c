/* text.c: length in UTF-16 code units, and cutting a long text into bubbles.
 *
 * A cut is looked for from the strongest kind of border to the weakest, each only in the second half of what
 * fits: a paragraph's end near the beginning would make a short bubble and a long rest. */
#include <stdint.h>
#include <string.h>

#include "channels/text.h"

#include "queue/base/error.h"

enum border { BORDER_CHARACTER, BORDER_WORD, BORDER_SENTENCE, BORDER_LINE, BORDER_PARAGRAPH, BORDER_COUNT };

/* The code point at text and its size in bytes; a stray byte counts as one character. */
static uint32_t decode(const char *text, size_t *size)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
    uint32_t point = more == 0 ? s[0] : s[0] & (0x3fu >> more);

    for (size_t i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            *size = 1;
            return s[0];
        }
        point = point << 6 | (s[i] & 0x3f);
    }
    *size = more + 1;
    return point;
}

size_t text_units(const char *text)
{
    size_t units = 0;
    size_t size;

    for (; *text != '\0'; text += size) {
        units += decode(text, &size) >= 0x10000 ? 2 : 1;
    }
    return units;
}

static bool is_blank(uint32_t point)
{
    return point == ' ' || point == '\t' || point == '\n' || point == '\r' || point == 0x3000;
}

/* Marks that belong to the character before them: combining marks, joiners, variation selectors, skin tones.
 */
static bool joins_left(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x0300, 0x036f}, {0x0591, 0x05bd},   {0x064b, 0x065f},   {0x0900, 0x0903},   {0x093a, 0x094f},
        {0x0e31, 0x0e3a}, {0x0e47, 0x0e4e},   {0x1ab0, 0x1aff},   {0x200d, 0x200d},   {0x20d0, 0x20ff},
        {0xfe00, 0xfe0f}, {0x1f3fb, 0x1f3ff}, {0xe0020, 0xe007f}, {0xe0100, 0xe01ef},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (point >= ranges[i].first && point <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

static bool is_flag_letter(uint32_t point)
{
    return point >= 0x1f1e6 && point <= 0x1f1ff;
}

static bool ends_sentence(uint32_t point)
{
    return point == '.' || point == '!' || point == '?' || point == 0x2026 || point == 0x3002 ||
           point == 0xff01 || point == 0xff1f || point == 0x061f || point == 0x0964;
}

/* What kind of border lies between the characters before and here (next: the one after here). */
static enum border border_between(uint32_t earlier, uint32_t before, uint32_t here)
{
    if (before == '\n' && earlier == '\n') {
        return BORDER_PARAGRAPH;
    }
    if (before == '\n') {
        return BORDER_LINE;
    }
    if (is_blank(before) && ends_sentence(earlier)) {
        return BORDER_SENTENCE;
    }
    if (before >= 0x3000 && ends_sentence(before)) {
        return BORDER_SENTENCE; /* full-width stops need no blank behind them */
    }
    return is_blank(before) && !is_blank(here) ? BORDER_WORD : BORDER_CHARACTER;
}

static bool may_cut(uint32_t before, uint32_t here)
{
    return !joins_left(here) && before != 0x200d && !(is_flag_letter(before) && is_flag_letter(here));
}

/* Bytes of the longest good piece of text, which is longer than max units. */
static size_t cut_at(const char *text, size_t max)
{
    size_t best[BORDER_COUNT] = {0};
    size_t at = 0, units = 0, size = 0;
    uint32_t earlier = 0, before = 0;

    for (;;) {
        uint32_t here = decode(text + at, &size);
        if (at > 0 && may_cut(before, here)) {
            enum border kind = border_between(earlier, before, here);
            best[units * 2 >= max ? kind : BORDER_CHARACTER] = at;
            best[BORDER_CHARACTER] = at;
        }
        units += here >= 0x10000 ? 2 : 1;
        if (units > max) {
            break;
        }
        earlier = before;
        before = here;
        at += size;
    }
    for (int kind = BORDER_PARAGRAPH; kind > BORDER_CHARACTER; kind--) {
        if (best[kind] > 0) {
            return best[kind];
        }
    }
    return best[BORDER_CHARACTER] > 0 ? best[BORDER_CHARACTER] : at;
}

/* Drops blanks at the end of the piece. */
static size_t trimmed(const char *text, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL) {
        len--;
    }
    return len;
}

bool text_next(const char **text, size_t max, struct text_piece *piece)
{
    const char *start = *text + strspn(*text, " \t\r\n");

    CHECK(max >= 16);
    if (*start == '\0') {
        *text = start;
        return false;
    }
    size_t len = text_units(start) <= max ? strlen(start) : cut_at(start, max);
    *piece = (struct text_piece){.start = start, .len = trimmed(start, len)};
    *text = start + len;
    return true;
}
