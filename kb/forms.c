/* forms.c: see forms.h. Candidates come from the index's list of words with the same beginning. */
#include <string.h>

#include "kb/forms.h"
#include "kb/stopwords.h"
#include "kb/text.h"

#define LETTERS_MIN  3
#define LIKENESS_MIN 0.65 /* found on the development sets: below it strangers outnumber relatives */
#define ENDING_MAX   3    /* letters by which the longer of the two may go on */

/* Endings of a three-letter word, which is too short to be told by its length: English. */
static const char *const SHORT_ENDINGS[] = {"s", "es", "ed", "ing"};

/* True if the code points are one of the short endings. */
static bool short_ending(const int32_t *rest, size_t count)
{
    for (size_t i = 0; i < sizeof SHORT_ENDINGS / sizeof *SHORT_ENDINGS; i++) {
        const char *ending = SHORT_ENDINGS[i];
        size_t at = 0;
        while (at < count && rest[at] == ending[at]) {
            at++;
        }
        if (at == count && ending[at] == '\0') {
            return true;
        }
    }
    return false;
}

bool kb_forms_alike(const int32_t *a, size_t a_len, const int32_t *b, size_t b_len, double *likeness)
{
    const int32_t *longer = a_len > b_len ? a : b;
    size_t most = a_len > b_len ? a_len : b_len, least = a_len > b_len ? b_len : a_len, shared = 0;

    while (shared < least && a[shared] == b[shared]) {
        shared++;
    }
    if (shared < LETTERS_MIN) {
        return false;
    }
    size_t doubled = shared == least && least < most && longer[shared] == longer[shared - 1]; /* shipping */
    *likeness = (2.0 * (double)shared + (double)doubled) / (double)(a_len + b_len);
    if (shared == LETTERS_MIN) {
        return least == shared && short_ending(longer + shared + doubled, most - shared - doubled);
    }
    return *likeness >= LIKENESS_MIN && most - shared - doubled <= ENDING_MAX;
}

/* True if the word can have forms: long enough, letters only. */
static bool has_forms(const int32_t *cps, size_t count)
{
    bool letters = count >= LETTERS_MIN && kb_cp_class(cps[0]) == KB_CP_WORD;

    for (size_t i = 0; i < count && letters; i++) {
        letters = cps[i] < '0' || cps[i] > '9';
    }
    return letters;
}

/* True if form a stands before b: more alike, then by bytes, so that the order never depends on history. */
static bool form_before(const struct kb_form *a, const struct kb_form *b)
{
    if (a->likeness != b->likeness) {
        return a->likeness > b->likeness;
    }
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order != 0 ? order < 0 : a->len < b->len;
}

/* Puts a form among the best unless the word is there already. */
static size_t form_insert(struct kb_form *forms, size_t count, const struct kb_form *form)
{
    size_t at = count;

    for (size_t i = 0; i < count; i++) {
        if (forms[i].len == form->len && memcmp(forms[i].text, form->text, form->len) == 0) {
            return count;
        }
    }
    while (at > 0 && form_before(form, &forms[at - 1])) {
        at--;
    }
    if (at == KB_FORMS_MAX) {
        return count;
    }
    size_t tail = count < KB_FORMS_MAX ? count - at : KB_FORMS_MAX - 1 - at;
    memmove(&forms[at + 1], &forms[at], tail * sizeof *forms);
    forms[at] = *form;
    return count < KB_FORMS_MAX ? count + 1 : count;
}

/* The word a question has, in code points. */
struct asked {
    const char *text;
    size_t len, count;
    size_t last, third; /* bytes before the last letter, and of the first three */
    int32_t cps[KB_WORD_CPS];
    unsigned languages;
};

/* Adds the word at position - 1 to the forms if it is one. */
static size_t form_take(const struct kb_index *index, uint32_t position, const struct asked *w,
                        struct kb_form *forms, size_t found)
{
    const struct kb_vocable *v = &index->words[position - 1];
    const char *text = index->texts + v->text;
    struct kb_form form = {text, v->len, v->hash, 0};
    int32_t cps[KB_WORD_CPS];
    size_t apart = v->cps > w->count ? v->cps - w->count : w->count - v->cps;

    if (v->live == 0 || v->cps == 0 || apart > ENDING_MAX + 1 ||
        (v->len == w->len && memcmp(text, w->text, w->len) == 0)) {
        return found;
    }
    size_t count = kb_word_cps(text, v->len, cps);
    if (kb_forms_alike(w->cps, w->count, cps, count, &form.likeness) && has_forms(cps, count) &&
        !kb_stopword_in(w->languages, text, v->len, v->hash)) {
        return form_insert(forms, found, &form);
    }
    return found;
}

/* Adds the form of a three-letter word with the ending, if somebody wrote it. */
static size_t ending_take(const struct kb_index *index, const char *ending, bool doubled,
                          const struct asked *w, struct kb_form *forms, size_t found)
{
    char text[KB_WORD_BYTES + 8];
    size_t len = w->len, more = strlen(ending);

    memcpy(text, w->text, len);
    if (doubled) { /* its last letter */
        size_t size = w->len - w->last;
        memcpy(text + len, w->text + w->last, size);
        len += size;
    }
    memcpy(text + len, ending, more);
    len += more;
    uint32_t position = kb_index_word(index, text, len, kb_word_hash(text, len));
    return position == 0 ? found : form_take(index, position, w, forms, found);
}

/* Adds the forms out of one index to those found: of a three-letter word itself with the short endings, of a
 * longer one the words with the same beginning, and its first three letters alone. */
static size_t index_forms(const struct kb_index *index, const struct asked *w, struct kb_form *forms,
                          size_t found)
{
    for (size_t i = 0; w->count == LETTERS_MIN && i < sizeof SHORT_ENDINGS / sizeof *SHORT_ENDINGS; i++) {
        found = ending_take(index, SHORT_ENDINGS[i], false, w, forms, found);
        found = ending_take(index, SHORT_ENDINGS[i], true, w, forms, found);
    }
    if (w->count == LETTERS_MIN) {
        return found;
    }
    uint32_t stem = kb_index_word(index, w->text, w->third, kb_word_hash(w->text, w->third));
    found = stem == 0 ? found : form_take(index, stem, w, forms, found);
    for (uint32_t at = kb_index_alike(index, w->text, w->len); at != 0; at = index->alike_next[at - 1]) {
        found = form_take(index, at, w, forms, found);
    }
    return found;
}

size_t kb_forms(const struct kb_index *const *indexes, size_t count, const char *word, size_t len,
                unsigned languages, struct kb_form forms[KB_FORMS_MAX])
{
    struct asked w = {.text = word, .len = len, .languages = languages};
    size_t found = 0;

    w.count = kb_word_cps(word, len, w.cps);
    if (!has_forms(w.cps, w.count)) {
        return 0;
    }
    for (size_t i = 0, at = 0; i < w.count; i++) {
        int32_t cp;
        w.last = at;
        at += kb_cp_next(word + at, len - at, &cp);
        w.third = i < LETTERS_MIN ? at : w.third;
    }
    for (size_t i = 0; i < count; i++) {
        found = index_forms(indexes[i], &w, forms, found);
    }
    return found;
}
