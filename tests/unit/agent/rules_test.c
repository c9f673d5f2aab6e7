/* rules_test.c: wishes for a person in many languages, small talk, keywords, loops, message types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/common/phrases.h"
#include "agent/turn/rules.h"
#include "agent/common/words.h"
#include "queue/base/clock.h"

static const struct {
    const char *text;
    enum phrase_meaning want;
    const char *language; /* NULL: any */
} rows[] = {
    {"I want to talk to a human", PHRASE_PERSON, "en"},
    {"Can I speak with someone please?", PHRASE_PERSON, "en"},
    {"AGENT", PHRASE_PERSON, "en"},
    {"human please!!", PHRASE_PERSON, "en"},
    {"just connect me to a real person", PHRASE_PERSON, "en"},
    {"let me speak directly to your manager", PHRASE_PERSON, "en"},
    {"customer service representative", PHRASE_PERSON, "en"},
    {"Can I transfer money to another person?", PHRASE_NONE, NULL},
    {"Do you speak English?", PHRASE_NONE, NULL},
    {"What does an agent cost?", PHRASE_NONE, NULL},
    {"How many people fit into the large tent?", PHRASE_NONE, NULL},
    {"My humanoid robot is broken", PHRASE_NONE, NULL},
    {"Quiero hablar con una persona", PHRASE_PERSON, "es"},
    {"¿Me puede comunicar con un asesor, por favor?", PHRASE_PERSON, "es"},
    {"¿Hablan con clientes en inglés?", PHRASE_NONE, NULL},
    {"Quero falar com um atendente", PHRASE_PERSON, "pt"},
    {"Preciso de atendimento humano", PHRASE_PERSON, "pt"},
    {"Je voudrais parler à quelqu'un", PHRASE_PERSON, "fr"},
    {"Puis-je parler avec un conseiller ?", PHRASE_PERSON, "fr"},
    {"Kann ich mit einem Menschen sprechen?", PHRASE_PERSON, "de"},
    {"Verbinden Sie mich bitte mit einem Mitarbeiter", PHRASE_PERSON, "de"},
    {"Vorrei parlare con un operatore", PHRASE_PERSON, "it"},
    {"Müşteri temsilcisi", PHRASE_PERSON, "tr"},
    {"Gerçek bir insanla görüşmek istiyorum", PHRASE_PERSON, "tr"},
    {"saya mau bicara dengan orang", PHRASE_PERSON, "id"},
    {"Kan ik met een medewerker praten?", PHRASE_PERSON, "nl"},
    {"Chcę porozmawiać z konsultantem", PHRASE_PERSON, "pl"},
    {"Соедините меня с оператором", PHRASE_PERSON, "ru"},
    {"Хочу поговорить с живым человеком", PHRASE_PERSON, "ru"},
    {"أريد التحدث مع موظف", PHRASE_PERSON, "ar"},
    {"مجھے", PHRASE_NONE, NULL},
    {"मुझे किसी इंसान से बात करनी है", PHRASE_PERSON, "hi"},
    {"我要转人工", PHRASE_PERSON, "zh"},
    {"担当者と話したいです", PHRASE_PERSON, "ja"},
    {"상담원 연결해 주세요", PHRASE_PERSON, "ko"},
    {"ขอคุยกับเจ้าหน้าที่", PHRASE_PERSON, "th"},
    {"Tôi muốn nói chuyện với nhân viên", PHRASE_PERSON, "vi"},
    {"hi", PHRASE_GREETING, "en"},
    {"Hello there!", PHRASE_GREETING, "en"},
    {"Good morning", PHRASE_GREETING, "en"},
    {"Hi, what does shipping cost?", PHRASE_NONE, NULL},
    {"¡Hola, buenos días!", PHRASE_GREETING, "es"},
    {"Guten Tag", PHRASE_GREETING, "de"},
    {"Merhaba", PHRASE_GREETING, "tr"},
    {"你好", PHRASE_GREETING, "zh"},
    {"Thanks!", PHRASE_THANKS, "en"},
    {"ok thank you so much", PHRASE_THANKS, "en"},
    {"Muchas gracias", PHRASE_THANKS, "es"},
    {"Vielen Dank", PHRASE_THANKS, "de"},
    {"Thanks to whom do I owe this?", PHRASE_NONE, NULL},
    {"", PHRASE_NONE, NULL},
    {"???", PHRASE_NONE, NULL},
};

static void phrases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *language = "";
        char *folded = words_fold(rows[i].text);
        enum phrase_meaning meaning = phrase_of(folded, &language);
        if (meaning != rows[i].want ||
            (rows[i].language != NULL && strcmp(rows[i].language, language) != 0)) {
            fail_msg("\"%s\": meaning %d, language %s", rows[i].text, (int)meaning, language);
        }
        free(folded);
    }
}

static void small_talk_is_answered_in_its_language(void **state)
{
    (void)state;
    assert_string_equal(phrase_reply(PHRASE_THANKS, "de"), "Gern geschehen!");
    assert_string_equal(phrase_reply(PHRASE_GREETING, "xx"), phrase_reply(PHRASE_GREETING, "en"));
    assert_null(phrase_reply(PHRASE_PERSON, "en"));
    assert_null(phrase_reply(PHRASE_NONE, "en"));
}

static void patterns(void **state)
{
    static const struct {
        const char *text, *pattern;
        bool want;
    } cases[] = {
        {"a b c", "b", true},
        {"a b c", "a c", false},
        {"a b c", "a * c", true},
        {"a x y z c", "a * c", true},
        {"a w x y z c", "a * c", false},
        {"a c", "a * c", true},
        {"a c", "a ?b c", true},
        {"a b c", "a ?b c", true},
        {"a d c", "a ?b c", false},
        {"x a", "^ a", false},
        {"a x", "^ a", true},
        {"a x", "a $", false},
        {"x a", "a $", true},
        {"abc", "a|abc|d", true},
        {"ab", "abc", false},
        {"", "a", false},
        {"", "^ ?a $", true},
        {"xabcx", "~abc", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (words_match(cases[i].text, cases[i].pattern) != cases[i].want) {
            fail_msg("\"%s\" and \"%s\"", cases[i].text, cases[i].pattern);
        }
    }
}

static void keywords(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"I want my MONEY BACK now", "money back"},
        {"moneyback", NULL},
        {"Ich will den Rückruf", "Rueckruf"},
        {"我要投诉你们", "投诉"},
        {"refunds", NULL},
        {"A refund, please", "Refund"},
    };
    json_t *list = json_pack("[s,s,s,s]", "money back", "投诉", "Refund", "Rückruf");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folded = words_fold(cases[i].text);
        const char *found = rule_keyword(list, folded);
        assert_int_equal(found != NULL, cases[i].want != NULL);
        free(folded);
    }
    assert_null(rule_keyword(NULL, "refund"));
    json_decref(list);
}

/* A message of an author, so many ms after the last. */
static void add(json_t *history, const char *author, const char *text, int64_t after_ms)
{
    json_t *message = json_pack("{s:{s:s},s:s}", "author", "type", author, "text", text);

    clock_shift_wall(after_ms);
    jx_set_str(message, "id", id_new("msg").text);
    jx_push(history, message);
}

static void loops(void **state)
{
    json_t *people = json_array(), *quick = json_array(), *same = json_array(), *many = json_array();
    char text[32];

    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "question %d", i);
        add(people, "customer", text, 20000);
        add(people, "ai", "answer", 1000);
    }
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "question %d", i);
        add(quick, "customer", text, 500);
        add(quick, "ai", "answer", 500);
    }
    for (int i = 0; i < 4; i++) {
        add(same, "customer", "I am away.", 60000);
        add(same, "ai", "answer", 1000);
    }
    for (int i = 0; i < 22; i++) {
        snprintf(text, sizeof text, "question %d", i);
        add(many, "customer", text, 5000);
        add(many, "ai", "answer", 1000);
    }
    add(same, "customer", "I am away.", 60000);
    assert_false(rule_loop(people, clock_wall_ms() - 600000));
    assert_true(rule_loop(quick, clock_wall_ms()));
    assert_true(rule_loop(same, clock_wall_ms()));
    assert_true(rule_loop(many, clock_wall_ms()));
    add(quick, "human", "I am here.", 1000);
    assert_false(rule_loop(quick, clock_wall_ms()));
    json_decref(people);
    json_decref(quick);
    json_decref(same);
    json_decref(many);
}

static void message_types(void **state)
{
    (void)state;
    assert_int_equal(rule_media("text"), MEDIA_READABLE);
    assert_int_equal(rule_media("interactive"), MEDIA_READABLE);
    assert_int_equal(rule_media("image"), MEDIA_PERSON);
    assert_int_equal(rule_media("sticker"), MEDIA_IGNORED);
}

/* Every pattern of the table, for the look at all of them. */
static const struct {
    enum phrase_meaning meaning;
    const char *language, *pattern;
} pattern_rows[] = {
#define X(meaning, language, pattern) {meaning, language, pattern},
#include "agent/common/tbl_phrases.h"
#undef X
};

/* One word of a pattern, the n-th of its alternatives. */
static void add_choice(struct buf *out, const char *word, size_t size, unsigned n)
{
    const char *end = word + size;

    for (; n > 0 && memchr(word, '|', (size_t)(end - word)) != NULL; n--) {
        word = (const char *)memchr(word, '|', (size_t)(end - word)) + 1;
    }
    const char *stop = memchr(word, '|', (size_t)(end - word));
    buf_adds(out, out->len > 0 ? " " : "");
    buf_add(out, word, (size_t)((stop != NULL ? stop : end) - word));
}

/* A text that the folded pattern fits: the n-th alternative of each word, optional ones if n is odd, "*" as
 * n words. */
static void text_of(const char *pattern, unsigned n, struct buf *out)
{
    const char *word;

    for (size_t size = words_next(&pattern, &word); size > 0; size = words_next(&pattern, &word)) {
        if (*word == '*') {
            for (unsigned i = 0; i < n % 4; i++) {
                buf_adds(out, " x");
            }
        } else if (*word == '~' || (*word == '?' && n % 2 == 1)) {
            add_choice(out, word + 1, size - 1, n);
        } else if (strchr("?^$", *word) == NULL) {
            add_choice(out, word, size, n);
        }
    }
}

/* The index of phrase_of finds the row that a look at all rows in order finds. */
static void phrases_as_if_all_were_tried(void **state)
{
    enum { COUNT = sizeof pattern_rows / sizeof *pattern_rows };
    char *folded[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        folded[i] = words_fold_pattern(pattern_rows[i].pattern);
    }
    for (size_t i = 0; i < COUNT * 8; i++) {
        const char *language = "", *want_language = "";
        enum phrase_meaning want = PHRASE_NONE;
        struct buf made;
        buf_init(&made, 4000);
        text_of(folded[i / 8], (unsigned)(i % 8), &made);
        char *text = words_fold(buf_str(&made));
        for (size_t k = COUNT; k > 0; k--) {
            if (words_match(text, folded[k - 1])) {
                want = pattern_rows[k - 1].meaning;
                want_language = pattern_rows[k - 1].language;
            }
        }
        if (phrase_of(text, &language) != want || strcmp(language, want_language) != 0) {
            fail_msg("\"%s\" of \"%s\"", text, folded[i / 8]);
        }
        assert_true(want != PHRASE_NONE || i % 8 != 1);
        free(text);
        buf_fini(&made);
    }
    for (size_t i = 0; i < COUNT; i++) {
        free(folded[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phrases_as_if_all_were_tried),
        cmocka_unit_test(phrases),
        cmocka_unit_test(small_talk_is_answered_in_its_language),
        cmocka_unit_test(patterns),
        cmocka_unit_test(keywords),
        cmocka_unit_test(loops),
        cmocka_unit_test(message_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
