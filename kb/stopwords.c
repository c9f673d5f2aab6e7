/* stopwords.c: the lists, and which of them a question is held against.
 *
 * The rows are written as people write, and folded once like everything else, so that a question without
 * accents meets them too. A row holds articles, pronouns, prepositions, auxiliaries and what questions are
 * framed with; words a business may be asked about ("open", "price") are left out on purpose. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kb/stopwords.h"

#define KB_STOPWORDS(X)                                                                                                                                                                                                                                                                                          \
    X(ENGLISH,                                                                                                                                                                                                                                                                                                   \
      "a an the this that these those some any each every all both i me my mine we us our ours you "                                                                                                                                                                                                             \
      "your yours he him his she her hers it its they them their theirs who whom whose which what "                                                                                                                                                                                                              \
      "when where why how and or but if then than so because as while of at by for with about "                                                                                                                                                                                                                  \
      "against between into through during before after above below to from up down in out on off "                                                                                                                                                                                                              \
      "over under again there here is am are was were be been being have has had having do does "                                                                                                                                                                                                                \
      "did doing done can could will would shall should may might must not no nor don isn aren "                                                                                                                                                                                                                 \
      "doesn didn won wouldn couldn shouldn hasn haven ll ve re s t d m get got gets getting let "                                                                                                                                                                                                               \
      "lets want wants wanted need needs like please tell know say long much many more most very "                                                                                                                                                                                                               \
      "too also just only other such same own once ever still yet way ways thing things something "                                                                                                                                                                                                              \
      "anything someone anyone anybody everything one ones hi hello hey thanks thank ok okay yes "                                                                                                                                                                                                               \
      "happens happen wondering help possible able make makes made use take takes give go time sell sells "                                                                                                                                                                                                      \
      "offer offers")                                                                                                                                                                                                                                                                                            \
    X(SPANISH, "el la los las un una unos unas lo al del de a ante con contra desde durante en entre hacia "                                                                                                                                                                                                     \
               "hasta para por según sin sobre tras y e o u ni pero sino si que qué quien quién quienes "                                                                                                                                                                                                     \
               "cual cuál cuales cuáles cuando cuándo donde dónde adonde adónde como cómo cuanto cuánto "                                                                                                                                                                                                 \
               "cuanta cuánta cuantos cuántos cuantas cuántas porque yo tú tu tus él ella ello nosotros "                                                                                                                                                                                                   \
               "ustedes vosotros ellos ellas usted me te se nos os le les mi mis su sus nuestro nuestra "                                                                                                                                                                                                        \
               "nuestros nuestras este esta esto estos estas ese esa eso esos esas aquel aquella aquí allí "                                                                                                                                                                                                   \
               "ahí es son era eran ser fue fueron soy eres somos está están estoy estar estás hay haber "                                                                                                                                                                                                   \
               "ha han he hemos tiene tienen tengo tenéis tienes tener hace hacen hacer hago haces puede "                                                                                                                                                                                                      \
               "pueden puedo puedes podéis podemos poder podría quiero quiere quieren querría quisiera "                                                                                                                                                                                                      \
               "necesito necesita debo debe deben más muy mucho mucha muchos muchas poco algo alguno "                                                                                                                                                                                                          \
               "alguna algún algunos algunas todo toda todos todas otro otra otros otras mismo misma no sí "                                                                                                                                                                                                   \
               "ya también hola gracias favor saber sabe cosa cosas vez veces vende venden vendéis")                                                                                                                                                                                                             \
    X(PORTUGUESE, "o a os as um uma uns umas ao aos à às do da dos das de no na nos nas em num numa por "                                                                                                                                                                                                      \
                  "pelo pela pelos pelas para pra com sem sob sobre entre até desde contra e ou mas nem se "                                                                                                                                                                                                    \
                  "que quê quem qual quais quando onde aonde como quanto quanta quantos quantas porque "                                                                                                                                                                                                        \
                  "porquê eu tu ele ela nós vós eles elas você vocês me te lhe lhes meu minha meus minhas "                                                                                                                                                                                                 \
                  "seu sua seus suas nosso nossa nossos nossas este esta isto estes estas esse essa isso "                                                                                                                                                                                                       \
                  "esses essas aquele aquela aquilo aqui ali lá é são era eram ser foi foram sou somos "                                                                                                                                                                                                      \
                  "está estão estou estar há haver tem têm tenho temos ter tinha faz fazem fazer faço pode "                                                                                                                                                                                                \
                  "podem posso podemos poder poderia quero quer querem queria preciso precisa devo deve "                                                                                                                                                                                                        \
                  "devem mais muito muita muitos muitas pouco algo algum alguma alguns algumas todo toda "                                                                                                                                                                                                       \
                  "todos todas outro outra outros outras mesmo mesma não sim já também olá oi obrigado "                                                                                                                                                                                                     \
                  "obrigada favor saber coisa coisas vez vezes vendem vende")                                                                                                                                                                                                                                    \
    X(FRENCH, "le la les l un une des du de d au aux à en dans par pour sur sous sans avec chez vers entre "                                                                                                                                                                                                    \
              "contre depuis pendant jusqu et ou mais ni si que qu qui quoi dont où quand comment combien "                                                                                                                                                                                                     \
              "pourquoi quel quelle quels quelles lequel laquelle je j tu il elle on nous vous ils elles "                                                                                                                                                                                                       \
              "me m te t se s lui leur leurs mon ma mes ton ta tes son sa ses notre nos votre vos moi toi "                                                                                                                                                                                                      \
              "eux ce c cet cette ces ça cela ceci ici là y est sont était être été suis es êtes sommes a "                                                                                                                                                                                               \
              "ont ai as avez avons avoir avait fait faites faire font fais peut peux peuvent pouvez "                                                                                                                                                                                                           \
              "pouvons pouvoir pourrais veux veut voulez voudrais dois doit devez doivent faut ne n pas "                                                                                                                                                                                                        \
              "plus moins très trop peu beaucoup tout toute tous toutes autre autres même mêmes aussi oui "                                                                                                                                                                                                   \
              "non bonjour merci svp plaît il quelque quelques chose choses fois est-ce")                                                                                                                                                                                                                        \
    X(GERMAN, "der die das den dem des ein eine einen einem einer eines kein keine keinen und oder aber "                                                                                                                                                                                                        \
              "denn wenn weil dass ob als wie wo wohin woher wann warum wieso weshalb was wer wem wen "                                                                                                                                                                                                          \
              "welche welcher welches welchen wieviel viel viele ich mich mir du dich dir er ihn ihm sie "                                                                                                                                                                                                       \
              "ihr ihre ihren ihrem ihrer es wir uns euch mein meine meinen meinem meiner dein deine sein "                                                                                                                                                                                                      \
              "seine unser unsere unseren euer eure dieser diese dieses diesen diesem hier da dort in im "                                                                                                                                                                                                       \
              "an am auf aus bei beim mit nach von vom vor zu zum zur für über unter durch ohne gegen um "                                                                                                                                                                                                     \
              "bis ab seit zwischen ist sind war waren bin bist seid sei wird werden wurde wurden habe hat "                                                                                                                                                                                                     \
              "haben hast habt hatte hatten kann können könnt könnte könnten muss müssen darf dürfen soll "                                                                                                                                                                                                \
              "sollen will wollen möchte möchten mache macht machen gibt gibts geben nicht nein ja mehr "                                                                                                                                                                                                      \
              "sehr auch noch nur schon so man sich etwas alles alle anderen andere mal bitte danke hallo "                                                                                                                                                                                                      \
              "lange brauche brauchen dann verkaufen verkauft")                                                                                                                                                                                                                                                  \
    X(ITALIAN, "il lo la i gli le l un uno una dei degli delle del dello della di da in con su per tra fra "                                                                                                                                                                                                     \
               "a ad al allo alla ai agli alle dal dalla dai nel nello nella nei nelle sul sulla sui e ed "                                                                                                                                                                                                      \
               "o ma né se che chi cui quale quali quando dove dov come quanto quanta quanti quante perché "                                                                                                                                                                                                   \
               "io tu lui lei noi voi loro mi ti si ci vi ne mio mia miei mie tuo tua suo sua suoi sue "                                                                                                                                                                                                         \
               "nostro nostra nostri vostro vostra vostri questo questa questi queste quello quella quelli "                                                                                                                                                                                                     \
               "qui qua lì là è sono era erano essere stato sei siamo siete c ho hai ha abbiamo avete "                                                                                                                                                                                                       \
               "hanno avere fa fate fanno fare faccio può posso puoi possono potete possiamo potrei voglio "                                                                                                                                                                                                    \
               "vuole vorrei volete devo deve dovete devono non più molto molta molti molte poco qualcosa "                                                                                                                                                                                                     \
               "alcuni alcune tutto tutta tutti tutte altro altra altri altre stesso anche sì no ciao "                                                                                                                                                                                                         \
               "grazie favore cosa cose volta volte")                                                                                                                                                                                                                                                            \
    X(DUTCH, "de het een der des en of maar want dat dit die deze als dan hoe waar wanneer waarom wat wie "                                                                                                                                                                                                      \
             "welke welk hoeveel hoelang ik mij me mijn jij je jou jouw u uw hij hem zijn zij ze haar wij "                                                                                                                                                                                                      \
             "we ons onze jullie hun hen er hier daar in op aan bij met na naar van voor tot uit over "                                                                                                                                                                                                          \
             "onder door zonder tegen om tussen is ben bent was waren wordt worden werd heb hebt heeft "                                                                                                                                                                                                         \
             "hebben had kan kun kunt kunnen kon moet moeten mag mogen wil willen wilt zou zal zullen doe "                                                                                                                                                                                                      \
             "doen doet gaat niet geen ja nee meer veel zeer erg ook nog maar al alleen zo iets alles alle "                                                                                                                                                                                                     \
             "andere lang graag hallo bedankt")                                                                                                                                                                                                                                                                  \
    X(SWEDISH, "en ett den det de dem der och eller men om att som när var vart varför hur vad vem vilken "                                                                                                                                                                                                    \
               "vilket vilka jag mig min mitt mina du dig din ditt dina han honom hon henne vi oss vår "                                                                                                                                                                                                        \
               "vårt våra ni er era de deras sin denna detta dessa här där i på av för från med till utan "                                                                                                                                                                                               \
               "under över mellan efter före vid hos är var vara varit blir bli har hade ha kan kunde ska "                                                                                                                                                                                                   \
               "skulle vill måste får gör göra finns inte nej ja mer mycket många också bara så något "                                                                                                                                                                                                  \
               "någon några alla allt andra hej tack länge")                                                                                                                                                                                                                                                     \
    X(POLISH, "i a o w we z ze na do od dla po pod nad przy przez przed za u bez między czy nie tak to ten "                                                                                                                                                                                                    \
              "ta te ci tego tej tym tych jest są był była było były być będzie będą ja mnie mi ty ciebie "                                                                                                                                                                                             \
              "ci on ona ono oni one jego jej ich my nas nam wy was wam mój moja moje mojego mojej twój "                                                                                                                                                                                                      \
              "wasz wasza wasze nasz się siebie co kto kogo jak jaki jaka jakie jakiej gdzie kiedy ile "                                                                                                                                                                                                        \
              "dlaczego który która które których oraz lub albo ale że żeby jeśli gdy mam masz ma macie "                                                                                                                                                                                                 \
              "mamy mają mieć mogę może można możecie mogą chcę chciałbym chciałabym muszę trzeba jestem "                                                                                                                                                                                            \
              "już jeszcze tylko też także bardzo więcej dużo coś wszystko wszystkie inne tu tam proszę "                                                                                                                                                                                                 \
              "dziękuję cześć")                                                                                                                                                                                                                                                                                  \
    X(ROMANIAN, "un o unui unei niște al ai ale a de la din în pe cu fără pentru prin spre sub peste între "                                                                                                                                                                                                \
                "până după și sau dar nici dacă că să ce care cine cui când unde cum cât câtă câți câte de "                                                                                                                                                                                       \
                "eu mie mă tu te el ea noi ne voi vă ei ele îi îl le lui mea meu mei tău ta său sa nostru "                                                                                                                                                                                                \
                "noastră vostru voastră acest această acesta aceasta acești acele acolo aici este e sunt "                                                                                                                                                                                                   \
                "era eram fi fost ești suntem sunteți am ai are avem aveți au avea face fac faceți pot "                                                                                                                                                                                                     \
                "poate puteți putem vreau vrea doresc trebuie nu da mai mult multe foarte și tot toate "                                                                                                                                                                                                       \
                "toți alt altă alte ceva bună mulțumesc rog se își")                                                                                                                                                                                                                                             \
    X(TURKISH, "ve ile veya ya da de ki ama fakat için gibi kadar göre sonra önce beri bir bu şu o bunu "                                                                                                                                                                                                    \
               "şunu onu bunun onun ben beni bana benim sen seni sana senin biz bizi bize bizim siz sizi "                                                                                                                                                                                                      \
               "size sizin onlar onların ne neyi neden niçin niye nasıl nerede nereye nereden kim kimin "                                                                                                                                                                                                     \
               "hangi hangisi kaç kaça mı mi mu mü mısınız misiniz musunuz müsünüz mıyım miyim var yok "                                                                                                                                                                                             \
               "varmı değil evet hayır olur olan olarak oldu olabilir oluyor eder ediyor edebilir ediyorum "                                                                                                                                                                                                  \
               "edebilirim yapabilir miyiz daha çok az en her bazı tüm bütün başka aynı şey çünkü eğer ise "                                                                                                                                                                                         \
               "idi dir dır lütfen teşekkürler merhaba istiyorum zaman")                                                                                                                                                                                                                                         \
    X(RUSSIAN,                                                                                                                                                                                                                                                                                                   \
      "и в во на с со к ко у о об от до из за по под над при про для без через между перед после "                                                                                                                                               \
      "а но или ли же бы не ни нет да что чтобы кто кого как какой какая какие какое каких где "                                                                                                                                              \
      "куда откуда когда почему зачем сколько чей который которая которые я меня мне мной ты тебя "                                                                                                                                   \
      "тебе он его ему она её ей оно мы нас нам вы вас вам они их им мой моя моё мои твой ваш "                                                                                                                                                  \
      "ваша ваше ваши вашей вашего наш наша себя это этот эта эти этого тот та то те тут там здесь "                                                                                                                                     \
      "есть быть был была было были будет будут имеет можно могу может можете можем нужно надо "                                                                                                                                         \
      "хочу хотел хотела ещё уже только тоже также очень много больше всё все всех если так при "                                                                                                                                        \
      "здравствуйте привет спасибо пожалуйста")                                                                                                                                                                                                                                                                  \
    X(INDONESIAN, "yang dan atau tetapi tapi di ke dari pada untuk dengan tanpa oleh dalam antara sampai "                                                                                                                                                                                                       \
                  "hingga tentang sebagai ini itu sini situ sana apa apakah siapa kapan mana dimana "                                                                                                                                                                                                            \
                  "bagaimana berapa mengapa kenapa saya aku kamu anda dia ia kami kita mereka nya adalah "                                                                                                                                                                                                       \
                  "ada akan sudah telah sedang bisa dapat boleh harus mau ingin perlu tidak bukan belum ya "                                                                                                                                                                                                     \
                  "juga saja lagi lebih sangat banyak semua lain kalau jika karena halo tolong terima "                                                                                                                                                                                                          \
                  "kasih lama")                                                                                                                                                                                                                                                                                  \
    X(ARABIC, "في من إلى على عن مع بين حتى منذ خلال عند لدى قبل بعد و أو ثم لكن بل إن أن إذا لو كي هل ما "                                                                                                                                       \
              "ماذا من متى أين كيف كم لماذا أي أية الذي التي الذين هذا هذه ذلك تلك هناك هنا أنا نحن أنت "                                                                                                                                    \
              "أنتم هو هي هم كان كانت يكون تكون ليس لا لم لن نعم قد كل بعض غير يمكن يمكنني أستطيع أريد "                                                                                                                                      \
              "لديكم لديك عندكم عندي لي لك لكم له لها فيه فيها جدا أكثر أيضا فقط مرحبا شكرا فضلك بكم")                                                                                                                                                                                                           \
    X(HINDI,                                                                                                                                                                                                                                                                                                     \
      "का के की को में से पर ने तक और या लेकिन पर कि जो तो ही भी यह वह ये वे इस उस इन उन इसका उसका मैं मुझे मेरा "                                         \
      "मेरी मेरे हम हमें हमारा आप आपका आपकी आपके आपको तुम वो उसे उन्हें क्या कौन कब कहाँ कहां कैसे कैसा क्यों कितना "                \
      "कितनी कितने किस किसका किसने किसके है हैं था थी थे हो हूँ हूं होता होती होते हुआ हुई हुए कर करना करने करता करते करती " \
      "किया की गया गई गए जा जाता जाती सकता सकती सकते चाहिए चाहता रहा रही रहे लिए साथ बाद पहले नहीं न हाँ जी "                                          \
      "बहुत अधिक सभी कुछ कोई एक अन्य यहाँ वहाँ द्वारा अपने अपना अपनी नमस्ते धन्यवाद कृपया")                                                                                                                                                                                                                                 \
    X(CHINESE, "什么 怎么 怎样 多少 几个 哪里 哪儿 哪些 你们 我们 他们 可以 可不 不可 是不 不是 是否 有没 "                                                                                                                                                                  \
               "没有 请问 吗 呢 的 了 我 你 是 在 有 一个 这个 "                                                                                                                                                                                                                                \
               "那个 如何 为什 能不 想要 需要 時候 时候")                                                                                                                                                                                                                                                        \
    X(JAPANESE,                                                                                                                                                                                                                                                                                                  \
      "です ます ませ せん すか ますか どこ どう いつ 何時 なに いく くら あり りま しま ます して てい "                                                                                                                                                                 \
      "いま ください くだ ださ さい でし しょ "                                                                                                                                                                                                                                                  \
      "ょう うか こと とは には では から まで これ それ あれ できま でき きま たい のは のか はい")

enum language {
#define X(symbol, text) LANGUAGE_##symbol,
    KB_STOPWORDS(X)
#undef X
        LANGUAGES
};
static const char *const ROWS[LANGUAGES] = {
#define X(symbol, text) text,
    KB_STOPWORDS(X)
#undef X
};
/* What customers call the business they write to, beside the stop words of their language. */
static const char *const SELVES[LANGUAGES] = {
    [LANGUAGE_ENGLISH] = "shop store business company",
    [LANGUAGE_SPANISH] = "tienda negocio empresa",
    [LANGUAGE_PORTUGUESE] = "loja negócio empresa",
    [LANGUAGE_FRENCH] = "magasin boutique entreprise",
    [LANGUAGE_GERMAN] = "laden geschäft firma",
    [LANGUAGE_ITALIAN] = "negozio azienda",
    [LANGUAGE_DUTCH] = "winkel bedrijf zaak",
    [LANGUAGE_SWEDISH] = "butik butiken företaget",
    [LANGUAGE_POLISH] = "sklep sklepu sklepie firma",
    [LANGUAGE_ROMANIAN] = "magazin magazinul firma",
    [LANGUAGE_TURKISH] = "mağaza mağazanız dükkan dükkanınız işletme işletmeniz",
    [LANGUAGE_RUSSIAN] = "магазин магазина магазине компания",
    [LANGUAGE_INDONESIAN] = "toko",
    [LANGUAGE_ARABIC] = "متجر المتجر متجركم محل المحل",
    [LANGUAGE_HINDI] = "दुकान",
    [LANGUAGE_CHINESE] = "商店 店铺",
};

static struct {
    struct kb_bag bag;
    unsigned *languages; /* of each word of the bag, a bit each */
    unsigned *selves;    /* the languages in which it is a name for the business */
} table;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Notes that the words are of a language; self: as names for the business. */
static void table_take(struct kb_bag *words, const char *row, unsigned language, bool self)
{
    kb_bag_reset(words);
    kb_bag_add(words, row, strlen(row), 1);
    for (size_t i = 0; i < words->count; i++) {
        const struct kb_bag_word *w = &words->words[i];
        kb_bag_add_word(&table.bag, kb_bag_text(words, w), w->len, 1);
        uint32_t at = kb_bag_find(&table.bag, kb_bag_text(words, w), w->len, w->hash);
        table.languages[at - 1] |= 1u << language;
        table.selves[at - 1] |= self ? 1u << language : 0;
    }
}

/* Folds every row, once in the life of the process. */
static void table_fill(void)
{
    struct kb_bag words;

    kb_bag_init(&table.bag);
    kb_bag_init(&words);
    size_t most = 0;
    for (unsigned i = 0; i < LANGUAGES; i++) {
        most += strlen(ROWS[i]) + (SELVES[i] != NULL ? strlen(SELVES[i]) : 0);
    }
    table.languages = xcalloc(most, sizeof *table.languages);
    table.selves = xcalloc(most, sizeof *table.selves);
    for (unsigned i = 0; i < LANGUAGES; i++) {
        table_take(&words, ROWS[i], i, false);
        table_take(&words, SELVES[i] != NULL ? SELVES[i] : "", i, true);
    }
    kb_bag_fini(&words);
}

/* The languages that have the word. */
static unsigned languages_of(const char *word, size_t len, uint32_t hash)
{
    uint32_t at = kb_bag_find(&table.bag, word, len, hash);

    return at == 0 ? 0 : table.languages[at - 1];
}

bool kb_stopword_in(unsigned languages, const char *word, size_t len, uint32_t hash)
{
    pthread_once(&once, table_fill);
    return (languages_of(word, len, hash) & languages) != 0;
}

unsigned kb_stopwords(const struct kb_bag *bag, enum kb_stop *flags)
{
    unsigned hits[LANGUAGES] = {0}, most = 0, taken = 0;

    pthread_once(&once, table_fill);
    for (size_t i = 0; i < bag->count; i++) {
        const struct kb_bag_word *w = &bag->words[i];
        unsigned languages = languages_of(kb_bag_text(bag, w), w->len, w->hash);
        for (unsigned k = 0; k < LANGUAGES; k++) {
            hits[k] += languages >> k & 1u;
            most = hits[k] > most ? hits[k] : most;
        }
    }
    for (unsigned k = 0; k < LANGUAGES && most > 0; k++) {
        taken |= hits[k] == most ? 1u << k : 0;
    }
    for (size_t i = 0; i < bag->count; i++) {
        const struct kb_bag_word *w = &bag->words[i];
        uint32_t at = kb_bag_find(&table.bag, kb_bag_text(bag, w), w->len, w->hash);
        bool stop = at > 0 && (table.languages[at - 1] & taken) != 0;
        bool self = stop && (table.selves[at - 1] & taken) != 0;
        flags[i] = self ? KB_STOP_SELF : stop ? KB_STOP_WORD : KB_STOP_NONE;
    }
    return taken;
}

/* The languages' codes as everywhere. */
static const char *const CODES[LANGUAGES] = {
    [LANGUAGE_ENGLISH] = "en",    [LANGUAGE_SPANISH] = "es", [LANGUAGE_PORTUGUESE] = "pt",
    [LANGUAGE_FRENCH] = "fr",     [LANGUAGE_GERMAN] = "de",  [LANGUAGE_ITALIAN] = "it",
    [LANGUAGE_DUTCH] = "nl",      [LANGUAGE_SWEDISH] = "sv", [LANGUAGE_POLISH] = "pl",
    [LANGUAGE_ROMANIAN] = "ro",   [LANGUAGE_TURKISH] = "tr", [LANGUAGE_RUSSIAN] = "ru",
    [LANGUAGE_INDONESIAN] = "id", [LANGUAGE_ARABIC] = "ar",  [LANGUAGE_HINDI] = "hi",
    [LANGUAGE_CHINESE] = "zh",    [LANGUAGE_JAPANESE] = "ja"};

bool kb_stopwords_taken(unsigned languages, const char *code)
{
    for (unsigned k = 0; k < LANGUAGES; k++) {
        if (strcmp(CODES[k], code) == 0) {
            return (languages >> k & 1u) != 0;
        }
    }
    return false;
}

const char *kb_stopwords_code(unsigned languages)
{
    for (unsigned k = 0; k < LANGUAGES; k++) {
        if (languages >> k & 1u) {
            return CODES[k];
        }
    }
    return NULL;
}
