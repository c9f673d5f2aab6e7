/* netguard_test.c: addresses and spellings of addresses, judged without connecting to any. */
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "queue/base/netguard.h"

struct verdict {
    const char *spelling; /* anything the C library reads as a number */
    bool permitted;
};

static const struct verdict by_default[] = {
    /* public */
    {"1.1.1.1", true},
    {"8.8.8.8", true},
    {"9.255.255.255", true},
    {"11.0.0.0", true},
    {"100.63.255.255", true},
    {"100.128.0.0", true},
    {"126.255.255.255", true},
    {"128.0.0.0", true},
    {"169.253.255.255", true},
    {"169.255.0.0", true},
    {"172.15.255.255", true},
    {"172.32.0.0", true},
    {"192.0.1.0", true},
    {"192.0.3.0", true},
    {"192.88.98.255", true},
    {"192.88.100.0", true},
    {"192.167.255.255", true},
    {"192.169.0.0", true},
    {"198.17.255.255", true},
    {"198.20.0.0", true},
    {"198.51.99.255", true},
    {"203.0.112.255", true},
    {"203.0.114.0", true},
    {"223.255.255.255", true},
    {"2606:4700:4700::1111", true},
    {"2a00:1450:4001:81b::200e", true},
    {"2001:200::1", true},
    {"2001:db7:ffff::1", true},
    {"2001:db9::1", true},
    {"2003::1", true},
    {"2000::1", true},
    {"3ffe:ffff::1", true},
    {"::ffff:8.8.8.8", true},
    {"::ffff:0808:0808", true},
    /* the machine itself */
    {"0.0.0.0", false},
    {"0", false},
    {"0.255.255.255", false},
    {"127.0.0.1", false},
    {"127.0.0.0", false},
    {"127.255.255.255", false},
    {"127.1", false},
    {"127.0.1", false},
    {"2130706433", false},
    {"0x7f000001", false},
    {"0x7F.1", false},
    {"0177.0.0.1", false},
    {"017700000001", false},
    {"0177.0x0.0.1", false},
    {"::", false},
    {"::1", false},
    {"0:0:0:0:0:0:0:1", false},
    {"::127.0.0.1", false},
    {"::ffff:127.0.0.1", false},
    {"::ffff:7f00:1", false},
    {"0:0:0:0:0:ffff:7f00:0001", false},
    {"::ffff:0.0.0.0", false},
    {"::ffff:0:127.0.0.1", false},
    {"64:ff9b::127.0.0.1", false},
    {"64:ff9b::808:808", false},
    {"64:ff9b:1::7f00:1", false},
    {"2002:7f00:1::1", false},
    {"2002:808:808::1", false},
    {"2001:0:4136:e378:8000:63bf:3fff:fdd2", false},
    /* private, shared and link-local */
    {"10.0.0.0", false},
    {"10.255.255.255", false},
    {"100.64.0.0", false},
    {"100.127.255.255", false},
    {"169.254.169.254", false},
    {"169.254.0.0", false},
    {"0xa9fea9fe", false},
    {"172.16.0.0", false},
    {"172.31.255.255", false},
    {"192.168.0.0", false},
    {"192.168.255.255", false},
    {"::ffff:10.0.0.1", false},
    {"::ffff:169.254.169.254", false},
    {"fe80::1", false},
    {"febf::1", false},
    {"fec0::1", false},
    {"fc00::1", false},
    {"fd00:ec2::254", false},
    /* everything else that is no place of a customer */
    {"192.0.0.1", false},
    {"192.0.0.170", false},
    {"192.0.2.1", false},
    {"192.88.99.1", false},
    {"198.18.0.0", false},
    {"198.19.255.255", false},
    {"198.51.100.1", false},
    {"203.0.113.255", false},
    {"224.0.0.1", false},
    {"239.255.255.255", false},
    {"240.0.0.1", false},
    {"255.255.255.255", false},
    {"ff02::1", false},
    {"100::1", false},
    {"2001:2::1", false},
    {"2001:10::1", false},
    {"2001:20::1", false},
    {"2001:1ff:ffff::1", false},
    {"2001:db8::1", false},
    {"2001:db8:ffff::1", false},
    {"3fff::1", false},
    {"3fff:fff:ffff::1", false},
    {"1fff:ffff::1", false},
    {"4000::1", false},
    {"5f00::1", false},
};

/* Reads a spelling as the resolver would, without any look-up, and has it judged. */
static bool permits(const char *spelling)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    bool verdict;

    assert_int_equal(getaddrinfo(spelling, "443", &hints, &list), 0);
    verdict = netguard_permits(list->ai_addr);
    freeaddrinfo(list);
    return verdict;
}

static int reset(void **state)
{
    (void)state;
    netguard_reset();
    return 0;
}

static void assert_verdicts(const struct verdict *table, size_t count)
{
    size_t wrong = 0;

    for (size_t i = 0; i < count; i++) {
        if (permits(table[i].spelling) != table[i].permitted) {
            print_error("%s should%s be permitted\n", table[i].spelling, table[i].permitted ? "" : " not");
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void the_default_verdicts(void **state)
{
    (void)state;
    assert_true(COUNT(by_default) >= 60);
    assert_verdicts(by_default, COUNT(by_default));
}

static void everything_can_be_allowed_and_forbidden_again(void **state)
{
    (void)state;
    netguard_allow_all(true);
    for (size_t i = 0; i < COUNT(by_default); i++) {
        assert_true(permits(by_default[i].spelling));
    }
    netguard_allow_all(false);
    assert_verdicts(by_default, COUNT(by_default));
}

static void named_ranges_can_be_allowed(void **state)
{
    static const struct verdict after[] = {
        {"10.1.0.0", true},      {"10.1.255.255", true},    {"10.0.255.255", false},
        {"10.2.0.0", false},     {"::ffff:10.1.2.3", true}, {"::ffff:10.2.0.0", false},
        {"127.0.0.1", true},     {"127.0.0.2", false},      {"::1", true},
        {"::2", false},          {"fd00:1:2:7fff::", true}, {"fd00:1:2:8000::", false},
        {"192.168.7.127", true}, {"192.168.7.128", false},  {"100.64.0.9", true},
        {"100.64.0.10", false},  {"8.8.8.8", true},         {"169.254.169.254", false},
    };

    (void)state;
    assert_int_equal(netguard_allow("10.1.0.0/16"), ERR_OK);
    assert_int_equal(netguard_allow("127.0.0.1"), ERR_OK);
    assert_int_equal(netguard_allow("::1/128"), ERR_OK);
    assert_int_equal(netguard_allow("fd00:1:2::/49"), ERR_OK);
    assert_int_equal(netguard_allow("192.168.7.5/25"), ERR_OK);
    assert_int_equal(netguard_allow("::ffff:100.64.0.8/127"), ERR_OK);
    assert_verdicts(after, COUNT(after));
    netguard_reset();
    assert_verdicts(by_default, COUNT(by_default));
}

static void a_prefix_of_nothing_is_a_whole_family(void **state)
{
    (void)state;
    assert_int_equal(netguard_allow("0.0.0.0/0"), ERR_OK);
    assert_true(permits("127.0.0.1"));
    assert_false(permits("::1"));
    netguard_reset();
    assert_int_equal(netguard_allow("::/0"), ERR_OK);
    assert_true(permits("::1"));
    assert_false(permits("127.0.0.1"));
}

static void bad_ranges_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8x",
        "10.0.0/8",
        "10/8",
        "localhost",
        "::1/129",
        "::g/64",
        " 10.0.0.0/8",
        "10.0.0.0/8/8",
        "0x7f.0.0.1",
        "10.0.0.0/ 8",
        "[::1]/128",
        "fe80::1%lo",
        "10.0.0.0/0008",
        "1:2:3:4:5:6:7:8:9",
        "10.0.0.0/+8",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/64",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (netguard_allow(bad[i]) != ERR_INVALID) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
    assert_verdicts(by_default, COUNT(by_default));
}

static void the_list_of_ranges_has_an_end(void **state)
{
    char cidr[32];

    (void)state;
    for (int i = 0; i < 64; i++) {
        snprintf(cidr, sizeof(cidr), "10.0.%d.0/24", i);
        assert_int_equal(netguard_allow(cidr), ERR_OK);
    }
    assert_int_equal(netguard_allow("10.1.0.0/24"), ERR_LIMIT);
    assert_true(permits("10.0.63.1"));
    assert_false(permits("10.1.0.1"));
}

static void other_families_are_refused(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/tmp/socket"};
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    (void)state;
    netguard_allow_all(true);
    assert_false(netguard_permits((const struct sockaddr *)&local));
    assert_false(netguard_permits(&none));
}

static void ranges_hold_what_is_in_them(void **state)
{
    static const struct {
        const char *range, *address;
        bool want;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.8", false},
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.129/25", "192.0.2.130", true}, /* bits behind the prefix do not count */
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "127.0.0.1", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::ffff:127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"::ffff:10.0.0.0/104", "10.200.0.1", true},
        {"10.0.0.0/8", "10.0.0.0/8", false}, /* a range is no address */
        {"10.0.0.0/8", "unix", false},
        {"nonsense", "10.0.0.1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (netguard_range_holds(cases[i].range, cases[i].address) != cases[i].want) {
            fail_msg("%s in %s", cases[i].address, cases[i].range);
        }
    }
    assert_true(netguard_range_is("10.0.0.0/8"));
    assert_false(netguard_range_is("10.0.0.0/33"));
    assert_false(netguard_range_is(""));
}

#define CLEAN(test) cmocka_unit_test_setup_teardown(test, reset, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLEAN(the_default_verdicts),        CLEAN(everything_can_be_allowed_and_forbidden_again),
        CLEAN(named_ranges_can_be_allowed), CLEAN(a_prefix_of_nothing_is_a_whole_family),
        CLEAN(bad_ranges_are_refused),      CLEAN(the_list_of_ranges_has_an_end),
        CLEAN(other_families_are_refused),  CLEAN(ranges_hold_what_is_in_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
