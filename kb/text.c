/* text.c: folding, one code point at a time, with a fast path for ASCII.
 *
 * What is not ASCII is decomposed (compatibility form, case folded), its marks are dropped or kept, single
 * letters are mapped by the table below, and what remains is composed again, so that equal words are equal
 * bytes. Order matters in one place: a capital I with a dot becomes i and a mark (dropped), the dotless i is
 * mapped last. */
#include <utf8proc.h>

#include "kb/text.h"

#define RUN_MAX   64
#define PIECE_MAX 32
#define FOLD_MODE (UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_DECOMPOSE | UTF8PROC_IGNORE)

struct range {
    int32_t from, to;
};

/* Accents that may stand on a letter of any script, vowel points of Hebrew, vowel marks of Arabic, tatweel.
 */
static const struct range DROPPED[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05BF}, {0x05C1, 0x05C2},
    {0x05C4, 0x05C5}, {0x05C7, 0x05C7}, {0x0610, 0x061A}, {0x0640, 0x0640}, {0x064B, 0x065F},
    {0x0670, 0x0670}, {0x06D6, 0x06DC}, {0x06DF, 0x06E4}, {0x06E7, 0x06E8}, {0x06EA, 0x06ED},
    {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
};

/* First digits of the decimal digit rows of living scripts. */
static const int32_t DIGIT_ROWS[] = {0x0660, 0x06F0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6,
                                     0x0C66, 0x0CE6, 0x0D66, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x17E0};

/* Letters that have no decomposition, or that writers of one language use for each other. */
static const struct letter {
    int32_t from;
    const char *to;
} LETTERS[] = {
    {0x00E6, "ae"}, {0x00F0, "d"}, {0x00F8, "o"}, {0x00FE, "th"},
    {0x0111, "d"},  {0x0127, "h"}, {0x0131, "i"}, {0x0142, "l"},
    {0x0153, "oe"}, {0x0167, "t"}, {0x0259, "e"}, {0x0629, "ه"}, /* ta marbuta to ha */
    {0x0649, "ي"},                                               /* alef maksura to ya */
    {0x0671, "ا"},                                               /* alef wasla to alef */
    {0x06A9, "ك"},                                               /* Persian kaf */
    {0x06CC, "ي"},                                               /* Persian ya */
    {0x06C1, "ه"},                                               /* Urdu ha */
};

struct folder {
    struct buf *out;
    int32_t run[RUN_MAX]; /* decomposed, waiting to be composed */
    size_t count;
};

size_t kb_cp_next(const char *text, size_t len, int32_t *cp)
{
    if (len > 0 && (unsigned char)*text < 0x80) {
        *cp = *text;
        return 1;
    }
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, cp);

    if (n <= 0) {
        *cp = -1;
        return 1;
    }
    return (size_t)n;
}

/* Han, Hiragana and Katakana with their extensions. */
static bool is_cjk(int32_t cp)
{
    return (cp >= 0x3041 && cp <= 0x30FF) || (cp >= 0x31F0 && cp <= 0x31FF) ||
           (cp >= 0x3400 && cp <= 0x4DBF) || (cp >= 0x4E00 && cp <= 0x9FFF) ||
           (cp >= 0xF900 && cp <= 0xFAFF) || (cp >= 0x20000 && cp <= 0x3FFFF) || cp == 0x3005;
}

enum kb_cp_class kb_cp_class(int32_t cp)
{
    if (cp < 0x80) {
        bool word = (cp >= 'a' && cp <= 'z') || (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z');
        return word ? KB_CP_WORD : KB_CP_OTHER;
    }
    if (is_cjk(cp)) {
        return cp == 0x30FB ? KB_CP_OTHER : KB_CP_CJK; /* the middle dot separates */
    }
    utf8proc_category_t category = utf8proc_category(cp);
    /* the categories are numbered: Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No, and then punctuation */
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO ? KB_CP_WORD : KB_CP_OTHER;
}

bool kb_cp_spaceless(int32_t cp)
{
    return (cp >= 0x0E00 && cp <= 0x0EFF) || (cp >= 0x1000 && cp <= 0x109F) ||
           (cp >= 0x1780 && cp <= 0x17FF) || is_cjk(cp);
}

/* True for a mark that folding drops. */
static bool is_dropped(int32_t cp)
{
    for (size_t i = 0; i < sizeof DROPPED / sizeof *DROPPED && cp >= DROPPED[i].from; i++) {
        if (cp <= DROPPED[i].to) {
            return true;
        }
    }
    return false;
}

/* The ASCII digit of a digit of another script, or 0. */
static char digit_of(int32_t cp)
{
    for (size_t i = 0; i < sizeof DIGIT_ROWS / sizeof *DIGIT_ROWS; i++) {
        if (cp >= DIGIT_ROWS[i] && cp < DIGIT_ROWS[i] + 10) {
            return (char)('0' + (cp - DIGIT_ROWS[i]));
        }
    }
    return 0;
}

/* The replacement of a letter, or NULL. */
static const char *letter_of(int32_t cp)
{
    if (cp > 0x06CC) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof LETTERS / sizeof *LETTERS; i++) {
        if (LETTERS[i].from == cp) {
            return LETTERS[i].to;
        }
    }
    return NULL;
}

/* Puts marks into canonical order (stable, by combining class), which composition expects. */
static void order_marks(int32_t *run, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        utf8proc_propval_t class = utf8proc_get_property(run[i])->combining_class;
        for (size_t j = i; class > 0 && j > 0; j--) {
            if (utf8proc_get_property(run[j - 1])->combining_class <= class) {
                break;
            }
            int32_t cp = run[j - 1];
            run[j - 1] = run[j];
            run[j] = cp;
        }
    }
}

/* Composes the waiting run and writes it out. */
static void flush(struct folder *f)
{
    if (f->count == 0) {
        return;
    }
    order_marks(f->run, f->count);
    utf8proc_ssize_t n =
        utf8proc_normalize_utf32(f->run, (utf8proc_ssize_t)f->count, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        utf8proc_uint8_t bytes[4];
        utf8proc_ssize_t size = utf8proc_encode_char(f->run[i], bytes);
        buf_add(f->out, bytes, (size_t)size);
    }
    f->count = 0;
}

/* Takes one decomposed code point: dropped, replaced, or kept for composition. */
static void take(struct folder *f, int32_t cp)
{
    if (is_dropped(cp)) {
        return;
    }
    const char *letter = letter_of(cp);
    char digit = digit_of(cp);
    if (cp < 0x80 || letter != NULL || digit != 0) {
        flush(f);
        if (letter != NULL) {
            buf_adds(f->out, letter);
        } else {
            buf_addc(f->out, digit != 0 ? digit : (char)cp);
        }
        return;
    }
    if (f->count == RUN_MAX) {
        flush(f);
    }
    f->run[f->count++] = cp;
}

/* Takes one code point beyond ASCII. */
static void take_wide(struct folder *f, int32_t cp)
{
    int32_t piece[PIECE_MAX];
    int boundary = 0;

    if (cp < 0 || cp == 0x200B) { /* a zero-width space ends a word */
        flush(f);
        buf_addc(f->out, ' ');
        return;
    }
    utf8proc_ssize_t n = utf8proc_decompose_char(cp, piece, PIECE_MAX, FOLD_MODE, &boundary);
    for (utf8proc_ssize_t i = 0; i < n && n <= PIECE_MAX; i++) {
        take(f, piece[i]);
    }
}

void kb_fold(const char *text, size_t len, struct buf *out)
{
    struct folder f = {.out = out};
    size_t i = 0;

    while (i < len) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x80) {
            flush(&f);
            buf_addc(out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c);
            i++;
            continue;
        }
        int32_t cp;
        i += kb_cp_next(text + i, len - i, &cp);
        take_wide(&f, cp);
    }
    flush(&f);
}
