/* trigger.c: which flow a message begins.
 *
 * In this order: a button says most plainly what is meant, then a keyword, then that somebody is new, then
 * how alike the message is to the examples of an intent. Likeness is the share of matter words (no stop
 * words) that two utterances have in common, forms of one word counting a little less; INTENT_LEAST was set
 * so that paraphrases of a few words pass and other questions about the same thing mostly do not. */
#include <stdlib.h>
#include <string.h>

#include "agent/flow/flow.h"
#include "agent/flow/fold.h"
#include "kb/forms.h"
#include "kb/stopwords.h"
#include "kb/words.h"

#define INTENT_LEAST 0.6
#define FORM_WEIGHT  0.8

static bool is_type(const json_t *row, const char *type)
{
    return strcmp(jx_str_or(jx_obj(row, "trigger"), "type", ""), type) == 0;
}

/* Words of one utterance. */
struct utterance {
    struct kb_bag bag;
    enum kb_stop *stop;
    size_t matter;
};

static void utterance_init(struct utterance *u, const char *text)
{
    kb_bag_init(&u->bag);
    kb_bag_add(&u->bag, text, strlen(text), 1);
    u->stop = xcalloc(u->bag.count + 1, sizeof *u->stop);
    (void)kb_stopwords(&u->bag, u->stop);
    u->matter = 0;
    for (size_t i = 0; i < u->bag.count; i++) {
        u->matter += u->stop[i] ? 0 : 1;
    }
    if (u->matter == 0) { /* nothing but grammar: then that is what counts */
        memset(u->stop, 0, u->bag.count * sizeof *u->stop);
        u->matter = u->bag.count;
    }
}

static void utterance_fini(struct utterance *u)
{
    free(u->stop);
    kb_bag_fini(&u->bag);
}

/* How well a word of a stands in b, 0..1. */
static double word_in(const struct utterance *a, size_t index, const struct utterance *b)
{
    const struct kb_bag_word *word = &a->bag.words[index];
    int32_t cps[KB_WORD_CPS], other[KB_WORD_CPS];
    double best = 0, likeness;

    if (kb_bag_find(&b->bag, kb_bag_text(&a->bag, word), word->len, word->hash) != 0) {
        return 1;
    }
    size_t len = kb_word_cps(kb_bag_text(&a->bag, word), word->len, cps);
    for (size_t i = 0; i < b->bag.count; i++) {
        const struct kb_bag_word *each = &b->bag.words[i];
        size_t size = kb_word_cps(kb_bag_text(&b->bag, each), each->len, other);
        if (!b->stop[i] && !word->cjk && len >= 3 && kb_forms_alike(cps, len, other, size, &likeness) &&
            FORM_WEIGHT * likeness > best) {
            best = FORM_WEIGHT * likeness;
        }
    }
    return best;
}

/* The sum over the matter words of a. */
static double shared(const struct utterance *a, const struct utterance *b)
{
    double sum = 0;

    for (size_t i = 0; i < a->bag.count; i++) {
        sum += a->stop[i] ? 0 : word_in(a, i, b);
    }
    return sum;
}

double flow_likeness(const char *a, const char *b)
{
    struct utterance left, right;

    utterance_init(&left, a);
    utterance_init(&right, b);
    size_t words = left.matter + right.matter;
    double likeness = words > 0 ? (shared(&left, &right) + shared(&right, &left)) / (double)words : 0;
    utterance_fini(&left);
    utterance_fini(&right);
    return likeness;
}

static const json_t *by_button(const json_t *rows, const char *button)
{
    for (size_t i = 0; button != NULL && i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i), *ids = jx_arr(jx_obj(row, "trigger"), "buttons");
        for (size_t k = 0; is_type(row, "button") && k < json_array_size(ids); k++) {
            if (strcmp(json_string_value(json_array_get(ids, k)), button) == 0) {
                return row;
            }
        }
    }
    return NULL;
}

static bool has_keyword(const json_t *keywords, const char *folded)
{
    bool found = false;

    for (size_t i = 0; i < json_array_size(keywords) && !found; i++) {
        char *word = flow_fold(json_string_value(json_array_get(keywords, i)));
        found = word[0] != '\0' && flow_holds(folded, word);
        free(word);
    }
    return found;
}

static const json_t *by_keyword(const json_t *rows, const char *folded)
{
    for (size_t i = 0; folded[0] != '\0' && i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (is_type(row, "keyword") && has_keyword(jx_arr(jx_obj(row, "trigger"), "keywords"), folded)) {
            return row;
        }
    }
    return NULL;
}

static const json_t *by_intent(const json_t *rows, const char *text)
{
    const json_t *best = NULL;
    double most = INTENT_LEAST;

    for (size_t i = 0; text[0] != '\0' && i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i), *examples = jx_arr(jx_obj(row, "trigger"), "examples");
        for (size_t k = 0; is_type(row, "intent") && k < json_array_size(examples); k++) {
            double likeness = flow_likeness(text, json_string_value(json_array_get(examples, k)));
            if (likeness >= most) {
                most = likeness;
                best = row;
            }
        }
    }
    return best;
}

const json_t *flow_triggered(const json_t *rows, const struct flow_input *input, bool first_contact)
{
    const json_t *row = by_button(rows, input->button);
    char *folded = flow_fold(input->text);

    row = row == NULL ? by_keyword(rows, folded) : row;
    free(folded);
    for (size_t i = 0; row == NULL && first_contact && i < json_array_size(rows); i++) {
        row = is_type(json_array_get(rows, i), "first_contact") ? json_array_get(rows, i) : NULL;
    }
    return row == NULL ? by_intent(rows, input->text) : row;
}
