/* kb.c: how fast the knowledge index is, beside SQLite's FTS5 on the same texts and questions.
 * usage: bench_kb [--chunks N] [--queries N] [--fts N] [--durable]
 *        bench_kb --small COLLECTIONS [--budget MIB] [--words N]
 *
 * Texts are made: 80 words a chunk, drawn from 60,000 with frequencies as in natural languages, titles of
 * four. Questions are six words, two common, four of one chunk, one of them misspelt in every third question.
 * Times in memory are processor time of the one thread; --durable and --small tell time as it passes.
 * --durable goes through store, feed and index file. --small makes many collections of 200 chunks, keeps the
 * memory of searched ones in its budget, and asks each once cold and once warm. */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kb/kb.h"
#include "kb/rank.h"
#include "queue/base/clock.h"
#include "queue/base/log.h"

#define VOCABULARY  60000
#define WORDS       80 /* of a chunk, unless --words says otherwise */
#define TITLE_WORDS 4
#define SMALL_SIZE  200
#define TEXT_MAX    2048
#define BATCH       250

static uint64_t seed = 42;
static size_t chunk_words = WORDS;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 33) / (double)(1u << 31);
}

/* The name of a word: consonants and vowels in turn as its number deals them, the common words short. */
static void word_name(unsigned number, char out[32])
{
    static const char consonants[] = "tnrslhdcmpfgbvkwzjqx", vowels[] = "eaiou";
    uint64_t deal = ((uint64_t)number + 1) * 0x9E3779B97F4A7C15u;
    size_t len = 2 + (number > 20) + (number > 200) + (number > 1000) + deal % 5;

    deal >>= 8;
    for (size_t i = 0; i < len; i++) { /* the smaller of two draws: letters differ in frequency */
        unsigned a = deal % 20, b = deal / 20 % 20;
        out[i] = i % 2 == 0 ? consonants[a < b ? a : b] : vowels[a % 5 < b % 5 ? a % 5 : b % 5];
        deal = (deal ^ deal >> 7) * 0xD6E8FEB86659FD93u >> 3;
    }
    out[len] = '\0';
}

/* A word as often as natural languages have it. */
static unsigned word_pick(void)
{
    double rank = pow(VOCABULARY, uniform());

    return (unsigned)rank - 1;
}

/* A text of so many words; returns its length. */
static size_t text_make(char *out, size_t words)
{
    size_t at = 0;

    for (size_t i = 0; i < words; i++) {
        char name[32];
        word_name(word_pick(), name);
        at += (size_t)snprintf(out + at, TEXT_MAX - at, "%s%s", i > 0 ? " " : "", name);
    }
    return at;
}

/* The texts of chunk number i, the same in every run. */
static void chunk_make(size_t i, char title[TEXT_MAX], char text[TEXT_MAX])
{
    seed = 1000 + i * 7919;
    for (int k = 0; k < 4; k++) {
        uniform();
    }
    text_make(title, TITLE_WORDS);
    text_make(text, chunk_words);
}

/* Question number i for a base of so many chunks. */
static void question_make(size_t i, size_t chunks, char out[TEXT_MAX])
{
    char title[TEXT_MAX], text[TEXT_MAX], *words[WORDS], *rest = NULL;
    size_t count = 0, at = 0;

    chunk_make(i * 104729 % chunks, title, text);
    for (char *w = strtok_r(text, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        words[count++] = w;
    }
    for (size_t k = 0; k < 4; k++) {
        char *word = words[(size_t)(uniform() * (double)count)];
        size_t len = strlen(word);
        if (k == 0 && i % 3 == 0 && len > 4) { /* two letters change places */
            char swapped = word[2];
            word[2] = word[3];
            word[3] = swapped;
        }
        at += (size_t)snprintf(out + at, TEXT_MAX - at, "%s ", word);
    }
    for (unsigned k = 0; k < 2; k++) {
        char name[32];
        word_name((unsigned)(uniform() * 30), name);
        at += (size_t)snprintf(out + at, TEXT_MAX - at, "%s ", name);
    }
}

static int time_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Processor time of this thread in us: other programs on the machine do not count. */
static int64_t cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Prints what the times come to. */
static void times_print(const char *label, int64_t *times, size_t count)
{
    qsort(times, count, sizeof *times, time_order);
    printf("  %-22s p50 %8.3f ms  p99 %8.3f ms  most %8.3f ms (%zu questions)\n", label,
           (double)times[count / 2] / 1e3, (double)times[count * 99 / 100] / 1e3,
           (double)times[count - 1] / 1e3, count);
}

/* Resident memory: our own, and of files that are mapped, which the kernel drops when it needs room. */
struct resident {
    double own, files;
};
static struct resident resident_mib(void)
{
    struct resident r = {0};
    char line[128];
    FILE *file = fopen("/proc/self/status", "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        r.own = strncmp(line, "RssAnon:", 8) == 0 ? strtod(line + 8, NULL) / 1024 : r.own;
        r.files = strncmp(line, "RssFile:", 8) == 0 ? strtod(line + 8, NULL) / 1024 : r.files;
    }
    if (file != NULL) {
        fclose(file);
    }
    return r;
}

static void resident_print(const char *label, struct resident r)
{
    printf("  resident %s: %.1f MiB of our own, %.1f MiB of mapped files\n", label, r.own, r.files);
}

/* ---- in memory ---- */

static void memory_run(size_t chunks, size_t queries)
{
    struct kb_index *index = kb_index_new();
    struct kb_ranker *ranker = kb_ranker_new();
    struct kb_bag bag;
    char title[TEXT_MAX], text[TEXT_MAX], id[32];
    int64_t spent = 0, *times = xcalloc(queries, sizeof *times);

    kb_bag_init(&bag);
    for (size_t i = 0; i < chunks; i++) {
        chunk_make(i, title, text);
        snprintf(id, sizeof id, "doc_%zu", i);
        int64_t start = cpu_us();
        kb_bag_reset(&bag);
        kb_bag_add(&bag, title, strlen(title), KB_TITLE_WEIGHT);
        kb_bag_add(&bag, text, strlen(text), 1);
        CHECK(kb_index_add(index, &bag, i + 1, id, 0));
        spent += cpu_us() - start;
    }
    printf("  memory: %.0f chunks/s, %.1f MiB (%.0f bytes a chunk), %zu words\n",
           (double)chunks * 1e6 / (double)spent, (double)kb_index_bytes(index) / 1048576.0,
           (double)kb_index_bytes(index) / (double)chunks, index->word_count);
    for (size_t i = 0; i < queries; i++) {
        struct kb_ranking ranking;
        const struct kb_index *one = index;
        question_make(i, chunks, text);
        int64_t start = cpu_us();
        kb_rank(ranker, &(struct kb_rank_query){&one, 1, text, NULL, 0, 10}, &ranking);
        times[i] = cpu_us() - start;
    }
    times_print("ours", times, queries);
    free(times);
    kb_bag_fini(&bag);
    kb_ranker_free(ranker);
    kb_index_free(index);
}

/* ---- SQLite ---- */

static void fts_fill(sqlite3 *db, size_t chunks)
{
    char title[TEXT_MAX], text[TEXT_MAX];
    sqlite3_stmt *add;
    int64_t spent = 0;

    CHECK(sqlite3_exec(db, "CREATE VIRTUAL TABLE t USING fts5(title, text); BEGIN", NULL, NULL, NULL) ==
          SQLITE_OK);
    CHECK(sqlite3_prepare_v2(db, "INSERT INTO t VALUES (?, ?)", -1, &add, NULL) == SQLITE_OK);
    for (size_t i = 0; i < chunks; i++) {
        chunk_make(i, title, text);
        int64_t start = cpu_us();
        sqlite3_bind_text(add, 1, title, -1, SQLITE_STATIC);
        sqlite3_bind_text(add, 2, text, -1, SQLITE_STATIC);
        CHECK(sqlite3_step(add) == SQLITE_DONE);
        sqlite3_reset(add);
        spent += cpu_us() - start;
    }
    int64_t start = cpu_us();
    CHECK(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    spent += cpu_us() - start;
    sqlite3_finalize(add);
    printf("  SQLite FTS5 %s: %.0f chunks/s, in memory, no grams, no corrections\n", sqlite3_libversion(),
           (double)chunks * 1e6 / (double)spent);
}

/* A question as OR of its words. */
static void fts_question(size_t i, size_t chunks, char out[2 * TEXT_MAX])
{
    char text[TEXT_MAX], *rest = NULL;
    size_t at = 0;

    question_make(i, chunks, text);
    for (char *w = strtok_r(text, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        at += (size_t)snprintf(out + at, 2 * TEXT_MAX - at, "%s\"%s\"", at > 0 ? " OR " : "", w);
    }
}

static void fts_run(size_t chunks, size_t queries)
{
    sqlite3 *db;
    sqlite3_stmt *ask;
    char question[2 * TEXT_MAX];
    int64_t *times = xcalloc(queries, sizeof *times);

    CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
    fts_fill(db, chunks);
    CHECK(sqlite3_prepare_v2(db, "SELECT rowid FROM t WHERE t MATCH ? ORDER BY rank LIMIT 10", -1, &ask,
                             NULL) == SQLITE_OK);
    for (size_t i = 0; i < queries; i++) {
        fts_question(i, chunks, question);
        int64_t start = cpu_us();
        sqlite3_bind_text(ask, 1, question, -1, SQLITE_STATIC);
        while (sqlite3_step(ask) == SQLITE_ROW) {
        }
        sqlite3_reset(ask);
        times[i] = cpu_us() - start;
    }
    times_print("SQLite FTS5", times, queries);
    free(times);
    sqlite3_finalize(ask);
    sqlite3_close(db);
}

/* ---- durable ---- */

struct place {
    char dir[64], index_dir[96], uri[96];
    struct store *store;
    struct kb *kb;
};

static void place_open(struct place *p)
{
    snprintf(p->dir, sizeof p->dir, "/tmp/bench_kb_XXXXXX");
    CHECK(mkdtemp(p->dir) != NULL);
    snprintf(p->index_dir, sizeof p->index_dir, "%s/index", p->dir);
    snprintf(p->uri, sizeof p->uri, "lmdb:%s/store", p->dir);
    CHECK(store_open(p->uri, (uint64_t)16 << 30, 64, &p->store) == ERR_OK);
    CHECK(kb_open(p->store, p->index_dir, &p->kb) == ERR_OK);
}

static void place_close(struct place *p)
{
    char command[128];

    kb_close(p->kb);
    store_close(p->store);
    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    CHECK(system(command) == 0);
}

/* Stores chunks as documents of a passage each, size to a collection, and waits until the index has them. */
static void place_fill(struct place *p, size_t chunks, size_t size)
{
    char title[TEXT_MAX], text[TEXT_MAX], id[32], collection[32];
    struct kb_stats stats;
    uint64_t rev = 0;

    for (size_t i = 0; i < chunks;) {
        struct changes *cs = changes_new();
        for (size_t k = 0; k < BATCH && i < chunks; k++, i++) {
            json_t *doc = json_object();
            chunk_make(i, title, text);
            snprintf(id, sizeof id, "doc_%08zu", i);
            snprintf(collection, sizeof collection, "col_%zu", i / size);
            jx_set_str(doc, "id", id);
            jx_set_str(doc, "collection_id", collection);
            jx_set_str(doc, "title", title);
            jx_set_str(doc, "content", text);
            jx_set_str(doc, "doc_type", "faq");
            kb_document_prepare(doc);
            changes_put(cs, KIND_DOCUMENT, "p", id, doc);
            json_decref(doc);
        }
        CHECK(store_submit_wait(p->store, cs, &rev) == ERR_OK);
    }
    do {
        usleep(2000);
        kb_stats(p->kb, &stats);
    } while (stats.feed_rev < rev);
}

/* One question to one collection; us it took. */
static int64_t place_ask(struct place *p, size_t collection, const char *text)
{
    char name[32];
    const char *list = name;
    struct arena *arena = arena_new(1u << 20);
    struct kb_result result;
    struct kb_query query = {
        .part = "p", .collections = &list, .collection_count = 1, .text = text, .limit = 5};

    snprintf(name, sizeof name, "col_%zu", collection);
    int64_t start = clock_mono_us();
    CHECK(kb_search(p->kb, &query, arena, &result) == ERR_OK);
    int64_t spent = clock_mono_us() - start;
    arena_free(arena);
    return spent;
}

static void durable_run(size_t chunks)
{
    struct place p;
    char question[TEXT_MAX];

    place_open(&p);
    int64_t start = clock_mono_us();
    place_fill(&p, chunks, chunks);
    double seconds = (double)(clock_mono_us() - start) / 1e6;
    question_make(0, chunks, question);
    double cold = (double)place_ask(&p, 0, question) / 1e3;
    printf("  durable: %.0f chunks/s through store, feed and index; first search %.0f ms\n",
           (double)chunks / seconds, cold);
    place_close(&p);
}

static void small_run(size_t collections, size_t budget_mib)
{
    struct place p;
    struct kb_stats stats;
    char question[TEXT_MAX];
    int64_t *cold = xcalloc(collections, sizeof *cold), *warm = xcalloc(collections, sizeof *warm);

    place_open(&p);
    kb_set_memory(p.kb, budget_mib << 20);
    int64_t start = clock_mono_us();
    place_fill(&p, collections * SMALL_SIZE, SMALL_SIZE);
    printf("%zu knowledge bases of %d chunks, indexed in %.1f s, budget %zu MiB\n", collections, SMALL_SIZE,
           (double)(clock_mono_us() - start) / 1e6, budget_mib);
    struct resident before = resident_mib(), middle = before;
    uint64_t most = 0;
    for (size_t i = 0; i < collections; i++) {
        question_make(i, collections * SMALL_SIZE, question);
        cold[i] = place_ask(&p, i, question);
        warm[i] = place_ask(&p, i, question);
        kb_stats(p.kb, &stats);
        most = stats.memory > most ? stats.memory : most;
        middle = i == collections / 2 ? resident_mib() : middle;
    }
    times_print("cold", cold, collections);
    times_print("warm", warm, collections);
    printf("  memory of searched ones at most %.1f MiB\n", (double)most / 1048576.0);
    resident_print("before the first question", before);
    resident_print("half way", middle);
    resident_print("after the last", resident_mib());
    place_close(&p);
    free(cold);
    free(warm);
}

int main(int argc, char **argv)
{
    size_t chunks = 0, queries = 2000, fts = 100, small = 0, budget = 512;
    static const size_t sizes[] = {5000, 50000, 200000};
    bool durable = false;

    for (int i = 1; i < argc; i++) {
        size_t value = i + 1 < argc ? strtoul(argv[i + 1], NULL, 10) : 0;
        chunks = strcmp(argv[i], "--chunks") == 0 ? value : chunks;
        queries = strcmp(argv[i], "--queries") == 0 ? value : queries;
        fts = strcmp(argv[i], "--fts") == 0 ? value : fts;
        small = strcmp(argv[i], "--small") == 0 ? value : small;
        budget = strcmp(argv[i], "--budget") == 0 ? value : budget;
        chunk_words = strcmp(argv[i], "--words") == 0 && value >= 4 && value < WORDS ? value : chunk_words;
        durable = durable || strcmp(argv[i], "--durable") == 0;
    }
    log_set(LOG_WARN, LOG_KEYVALUE);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && small == 0; i++) {
        size_t size = chunks != 0 ? chunks : sizes[i];
        printf("%zu chunks\n", size);
        memory_run(size, queries);
        if (fts > 0) {
            fts_run(size, fts);
        }
        if (durable) {
            durable_run(size);
        }
        if (chunks != 0) {
            break;
        }
    }
    if (small > 0) {
        small_run(small, budget);
    }
    return 0;
}
