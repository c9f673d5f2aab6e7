/* marks_test.c: Markdown of models as WhatsApp's marks. */
#include "channels_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_marks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
