/* crypto_test.c: published vectors, thread ends, sealed values and the master key's file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* FIPS 180-4 examples. */
static void sha256_vectors(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char text[65];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sha256_hex(cases[i].text, strlen(cases[i].text), text);
        assert_string_equal(text, cases[i].want);
    }
}

/* A platform's webhook body, then RFC 4231 test cases 1, 2 and 6; and a key of no bytes, whose result must
 * not depend on the key used before. */
static const struct {
    const char *key, *data, *want;
} macs[] = {
    {"test_app_secret", "{\"object\":\"whatsapp_business_account\",\"entry\":[]}",
     "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756"},
    {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"Jefe", "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    {NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
};

static void check_macs(void)
{
    uint8_t out[SHA256_SIZE];
    char text[65], long_key[131];

    memset(long_key, 0xaa, sizeof long_key);
    for (size_t i = 0; i < COUNT(macs); i++) {
        const char *key = macs[i].key != NULL ? macs[i].key : long_key;
        size_t size = macs[i].key != NULL ? strlen(key) : sizeof long_key;
        hmac_sha256(key, size, macs[i].data, strlen(macs[i].data), out);
        hex_encode(out, sizeof out, text);
        assert_string_equal(text, macs[i].want);
    }
}

static void hmac_vectors(void **state)
{
    (void)state;
    check_macs();
    check_macs();
}

/* A key that was used a moment ago, one that differs in its last byte, and one that is its beginning. */
static void hmac_keys_alternate(void **state)
{
    static const char *const keys[] = {"secret-one", "secret-one", "secret-onf",
                                       "secret-on",  "secret-one", ""};
    uint8_t sums[6][SHA256_SIZE];

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        hmac_sha256(keys[i], strlen(keys[i]), "a body", 6, sums[i]);
    }
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < 6; k++) {
            bool same = memcmp(sums[i], sums[k], SHA256_SIZE) == 0;
            assert_int_equal(same, strcmp(keys[i], keys[k]) == 0);
        }
    }
}

static void *mac_thread(void *arg)
{
    for (int i = 0; i < 200; i++) {
        check_macs();
    }
    return arg;
}

/* Threads come and go; the leak checker tells if a thread's contexts outlive it. */
static void threads_have_their_own_contexts(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, mac_thread, NULL), 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
}

static void random_and_compare(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};
    bool seen[5] = {false};

    (void)state;
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    for (int i = 0; i < 2000; i++) {
        uint64_t value = random_below(5);
        assert_true(value < 5);
        seen[value] = true;
    }
    for (size_t i = 0; i < COUNT(seen); i++) {
        assert_true(seen[i]);
    }
    assert_int_equal(random_below(1), 0);
    assert_true(equal_ct("abc", 3, "abc", 3));
    assert_false(equal_ct("abc", 3, "abd", 3));
    assert_false(equal_ct("abc", 3, "abcd", 4));
    assert_true(equal_ct("", 0, "", 0));
    wipe(a, sizeof a);
    memset(b, 0, sizeof b);
    assert_memory_equal(a, b, sizeof a);
}

/* ---- sealed values ---- */

static char folder[] = "/tmp/chasqui-crypto-XXXXXX";
static char path[64];

static int folder_make(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/key", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails if a draft was left behind */
}

/* Writes the key's file anew. */
static void write_file(const char *text, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

#define KEY_HALF "00112233445566778899aabbccddeeff"

static void key_files_are_checked(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        enum err want;
    } cases[] = {
        {KEY_HALF KEY_HALF, 0600, ERR_OK},
        {KEY_HALF KEY_HALF "\n", 0400, ERR_OK},
        {KEY_HALF KEY_HALF "\n", 0640, ERR_DENIED},
        {KEY_HALF KEY_HALF "\n", 0604, ERR_DENIED},
        {KEY_HALF KEY_HALF "\n\n", 0600, ERR_INVALID},
        {KEY_HALF KEY_HALF "0", 0600, ERR_INVALID},
        {KEY_HALF, 0600, ERR_INVALID},
        {"", 0600, ERR_INVALID},
    };

    (void)state;
    unlink(path);
    assert_int_equal(crypto_master_key_load(path), ERR_NOTFOUND);
    assert_int_equal(crypto_master_key_load(folder), ERR_DENIED);
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_file(cases[i].text, cases[i].mode);
        assert_int_equal(crypto_master_key_load(path), cases[i].want);
    }
    unlink(path);
}

static void created_keys_never_overwrite(void **state)
{
    struct stat st;
    char before[80] = "", after[80] = "";

    (void)state;
    assert_int_equal(crypto_master_key_create(path), ERR_OK);
    assert_true(crypto_master_key_ready());
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 65);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, before, sizeof before), 65);
    close(fd);
    assert_int_equal(crypto_master_key_create(path), ERR_CONFLICT);
    fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, after, sizeof after), 65);
    close(fd);
    assert_string_equal(before, after);
    assert_int_equal(crypto_master_key_load(path), ERR_OK);
    assert_int_equal(crypto_master_key_create("/nonexistent/folder/key"), ERR_NOTFOUND);
}

static void values_open_as_they_were_sealed(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000};
    char plain[1000];
    struct buf sealed, again, out;

    (void)state;
    random_bytes(plain, sizeof plain);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        buf_init(&sealed, 4096);
        buf_init(&again, 4096);
        buf_init(&out, 4096);
        assert_int_equal(seal("acc_1/chn_1", plain, sizes[i], &sealed), ERR_OK);
        assert_int_equal(seal("acc_1/chn_1", plain, sizes[i], &again), ERR_OK);
        assert_memory_equal(buf_str(&sealed), "v1.", 3);
        assert_string_not_equal(buf_str(&sealed), buf_str(&again));
        assert_int_equal(unseal("acc_1/chn_1", buf_str(&sealed), &out), ERR_OK);
        assert_int_equal(out.len, sizes[i]);
        assert_memory_equal(buf_str(&out), plain, sizes[i]);
        buf_fini(&sealed);
        buf_fini(&again);
        buf_fini(&out);
    }
}

/* Every single changed character, a moved value, another key, and texts that are no sealed value. */
static void altered_values_do_not_open(void **state)
{
    static const char *const foreign[] = {"", "v1.", "v1.AAAA", "v2.AAAA", "plain text", "v1.!!!!"};
    struct buf sealed, out;

    (void)state;
    buf_init(&sealed, 4096);
    buf_init(&out, 4096);
    assert_int_equal(seal("acc_1/chn_1", "token", 5, &sealed), ERR_OK);
    for (size_t i = 0; i < sealed.len; i++) {
        char c = sealed.data[i];
        sealed.data[i] = c == 'A' ? 'B' : 'A';
        assert_int_equal(unseal("acc_1/chn_1", sealed.data, &out), ERR_DENIED);
        sealed.data[i] = c;
    }
    assert_int_equal(unseal("acc_1/chn_2", sealed.data, &out), ERR_DENIED);
    for (size_t i = 0; i < COUNT(foreign); i++) {
        assert_int_equal(unseal("acc_1/chn_1", foreign[i], &out), ERR_DENIED);
    }
    unlink(path);
    assert_int_equal(crypto_master_key_create(path), ERR_OK);
    assert_int_equal(unseal("acc_1/chn_1", sealed.data, &out), ERR_DENIED);
    assert_int_equal(out.len, 0);
    buf_fini(&sealed);
    buf_fini(&out);
}

static void sealing_keeps_bounds(void **state)
{
    struct buf small;
    char *large = xcalloc(1, (1 << 20) + 1);

    (void)state;
    buf_init(&small, 20);
    assert_int_equal(seal("c", "token", 5, &small), ERR_LIMIT);
    assert_int_equal(seal("c", large, (1 << 20) + 1, &small), ERR_LIMIT);
    free(large);
    buf_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(hmac_vectors),
        cmocka_unit_test(hmac_keys_alternate),
        cmocka_unit_test(threads_have_their_own_contexts),
        cmocka_unit_test(random_and_compare),
        cmocka_unit_test(key_files_are_checked),
        cmocka_unit_test(created_keys_never_overwrite),
        cmocka_unit_test(values_open_as_they_were_sealed),
        cmocka_unit_test(altered_values_do_not_open),
        cmocka_unit_test(sealing_keeps_bounds),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
