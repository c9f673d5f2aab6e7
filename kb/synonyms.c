/* synonyms.c: the rows, folded once, and the row of a word. */
#include <pthread.h>
#include <string.h>

#include "kb/stopwords.h"
#include "kb/synonyms.h"
#include "kb/words.h"

/* The language as stopwords.h writes it, then at most 1 + KB_SYNONYMS_MAX words. A word stands in one row of
 * a language. */
static const struct row {
    const char *language, *words;
} ROWS[] = {
    {"en", "price prices pricing cost costs fee fees"},
    {"en", "big large"},
    {"en", "little small"},
    {"en", "buy purchase"},
    {"en", "phone telephone"},
    {"en", "shipping delivery shipment"},
    {"en", "picture photo"},
    {"en", "fast quick quickly"},
    {"es", "precio precios costo coste cuesta cuestan"},
    {"es", "envío envíos entrega entregas"},
    {"pt", "preço preços custo custa custam"},
    {"pt", "envio entrega entregas frete"},
    {"fr", "prix tarif tarifs coût coûte coûtent"},
    {"fr", "livraison expédition envoi"},
    {"de", "preis preise kosten kostet"},
    {"de", "lieferung versand"},
    {"it", "prezzo prezzi costo costa costano"},
    {"it", "consegna spedizione"},
    {"nl", "prijs prijzen kosten kost"},
    {"nl", "levering verzending bezorging"},
    {"sv", "pris priser kostnad kostar"},
    {"pl", "cena ceny koszt kosztuje"},
    {"ro", "preț prețul cost costă"},
    {"tr", "fiyat fiyatı ücret ücreti"},
    {"tr", "kargo teslimat"},
    {"ru", "цена цены стоимость стоит"},
    {"id", "harga biaya"},
};
#define ROW_COUNT (sizeof ROWS / sizeof *ROWS)

static struct kb_bag rows[ROW_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void rows_fill(void)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        kb_bag_init(&rows[i]);
        kb_bag_add(&rows[i], ROWS[i].words, strlen(ROWS[i].words), 1);
        CHECK(rows[i].count <= 1 + KB_SYNONYMS_MAX);
    }
}

size_t kb_synonyms(const char *word, size_t len, uint32_t hash, unsigned languages,
                   struct kb_synonym out[KB_SYNONYMS_MAX])
{
    size_t count = 0;

    pthread_once(&once, rows_fill);
    for (size_t i = 0; i < ROW_COUNT && count == 0; i++) {
        uint32_t at = kb_bag_find(&rows[i], word, len, hash);
        for (size_t k = 0; at > 0 && kb_stopwords_taken(languages, ROWS[i].language) && k < rows[i].count;
             k++) {
            const struct kb_bag_word *w = &rows[i].words[k];
            if (k != at - 1) {
                out[count++] = (struct kb_synonym){kb_bag_text(&rows[i], w), w->len, w->hash};
            }
        }
    }
    return count;
}
