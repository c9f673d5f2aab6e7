/* marks_test.c: Markdown of models as WhatsApp's marks; and the token buckets of pacing. */
#include "channels_fixture.h"

#include "channels/channels_int.h"
#include "channels/whatsapp/whatsapp.h"

static const struct {
    const char *label, *text, *want;
} rows[] = {
    {"plain", "We open at 9.", "We open at 9."},
    {"bold", "We open at **9**.", "We open at *9*."},
    {"bold with underscores", "__Closed__ on Sunday", "*Closed* on Sunday"},
    {"italic", "That is *really* all", "That is _really_ all"},
    {"italic with underscores stays", "That is _really_ all", "That is _really_ all"},
    {"bold and italic", "***both***", "*_both_*"},
    {"italic within bold", "**a *b* c**", "*a _b_ c*"},
    {"struck", "~~old~~ new", "~old~ new"},
    {"sum is no mark", "2 * 3 * 4", "2 * 3 * 4"},
    {"words with underscores", "use snake_case_names", "use snake_case_names"},
    {"powers", "2**3 and 4**5", "2**3 and 4**5"},
    {"heading", "## Opening hours ##\nat 9", "*Opening hours*\nat 9"},
    {"heading with bold", "# The **best** shop", "*The best shop*"},
    {"no heading without a blank", "#1 in town", "#1 in town"},
    {"bullets", "* one\n+ two\n- three", "- one\n- two\n- three"},
    {"nested bullet", "- a\n  * b", "- a\n  - b"},
    {"numbers", "1. a\n2. b", "1. a\n2. b"},
    {"link", "See [our page](https://x.example/a)", "See our page (https://x.example/a)"},
    {"link of itself", "[https://x.example](https://x.example)", "https://x.example"},
    {"brackets", "[sic] (no link)", "[sic] (no link)"},
    {"code", "`a * b * c` is *code*", "`a * b * c` is _code_"},
    {"fence", "```python\nx = **y**\n```\n**done**", "```\nx = **y**\n```\n*done*"},
    {"open mark", "5 ** or more", "5 ** or more"},
    {"unclosed bold", "**never closed", "**never closed"},
    {"other scripts",
     "**\xc3\x96"
     "ffnung** um 9",
     "*\xc3\x96"
     "ffnung* um 9"},
    {"stars only", "*****", "*****"},
    {"empty", "", ""},
};

static void test_marks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, 4096);
        whatsapp_marks(rows[i].text, &out);
        if (strcmp(buf_str(&out), rows[i].want) != 0) {
            fail_msg("%s: %s", rows[i].label, buf_str(&out));
        }
        buf_fini(&out);
    }
}

static void set_option(const char *flag, const char *value)
{
    struct buf why;

    buf_init(&why, 200);
    assert_int_equal(option_set_flag(flag, value, &why), ERR_OK);
    buf_fini(&why);
}

static void test_pair(void **state)
{
    int64_t now = 1000000;

    (void)state;
    option_reset();
    pace_reset();
    for (int i = 0; i < 45; i++) {
        assert_int_equal(pace_take("chn_1", "con_1", now), 0);
    }
    int64_t wait = pace_take("chn_1", "con_1", now);
    assert_in_range(wait, 5900, 6001);
    assert_int_equal(pace_take("chn_1", "con_2", now), 0); /* another customer is not held up */
    assert_in_range(pace_take("chn_1", "con_1", now + 3000), 2900, 3001);
    assert_int_equal(pace_take("chn_1", "con_1", now + 6001), 0);
    assert_true(pace_take("chn_1", "con_1", now + 6001) > 0);
    for (int i = 0; i < 45; i++) { /* five minutes later all is earned back, and no more than that */
        assert_int_equal(pace_take("chn_1", "con_1", now + 400000), 0);
    }
    assert_true(pace_take("chn_1", "con_1", now + 400000) > 0);
    pace_reset();
}

static void test_number(void **state)
{
    char contact[24];
    int64_t now = 5000;

    (void)state;
    option_reset();
    set_option("number-rate", "20");
    pace_reset();
    for (int i = 0; i < 20; i++) {
        snprintf(contact, sizeof contact, "con_%d", i);
        assert_int_equal(pace_take("chn_1", contact, now), 0);
    }
    assert_in_range(pace_take("chn_1", "con_x", now), 1, 51);
    assert_int_equal(pace_take("chn_2", "con_x", now), 0);
    assert_int_equal(pace_take("chn_1", "con_x", now + 51), 0);
    set_option("number-rate", "0");
    set_option("pair-burst", "0");
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pace_take("chn_1", "con_x", now), 0);
    }
    option_reset();
    pace_reset();
}

static void test_hold(void **state)
{
    int64_t now = 1000000;

    (void)state;
    pace_reset();
    assert_int_equal(pace_take("chn_1", "con_1", now), 0);
    pace_hold("chn_1", 5000, now);
    pace_hold("chn_1", 2000, now); /* the longer one stays */
    assert_int_equal(pace_take("chn_1", "con_2", now), 5000);
    assert_int_equal(pace_take("chn_2", "con_2", now), 0); /* another channel goes on */
    assert_int_equal(pace_take("chn_1", "con_2", now + 4999), 1);
    assert_int_equal(pace_take("chn_1", "con_2", now + 5000), 0);
    pace_hold("chn_1", 3600000, now + 6000);
    assert_true(pace_take("chn_1", "con_3", now + 1000000) > 0);
    pace_release("chn_1");
    assert_int_equal(pace_take("chn_1", "con_3", now + 1000000), 0);
    pace_reset();
}

/* The platform's own throughput counts where the operator left the usual rate. */
static void test_throughput(void **state)
{
    int64_t now = 1000000;
    char contact[24];
    unsigned let = 0;

    (void)state;
    pace_reset();
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(contact, sizeof contact, "con_%u", i);
        let += pace_take_at("chn_1", contact, 1000, now) == 0;
    }
    assert_int_equal(let, 1000);
    assert_true(pace_take_at("chn_1", "con_x", 1000, now) > 0);
    pace_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hold), cmocka_unit_test(test_throughput),
                                       cmocka_unit_test(test_marks), cmocka_unit_test(test_pair),
                                       cmocka_unit_test(test_number)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
