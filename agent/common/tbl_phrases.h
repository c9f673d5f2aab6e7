/* tbl_phrases.h: what customers say that needs no search, in the languages we know, one row each.
 * X(meaning, "language", "pattern (words.h)"). A pattern that is too greedy costs a person's time, one that
 * is too shy costs a customer's patience: ask for a verb and its object, or for the whole message. */

/* ---- asks for a person ---- */
X(PHRASE_PERSON, "en",
  "talk|speak|chat ?directly to|with * "
  "human|person|agent|representative|rep|operator|manager|supervisor|someone|somebody|colleague|advisor|"
  "staff")
X(PHRASE_PERSON, "en",
  "transfer|connect|put|pass|hand me * to|with|through * "
  "human|person|agent|representative|rep|operator|manager|supervisor|someone|somebody|colleague|staff")
X(PHRASE_PERSON, "en",
  "^ ?i|just ?want|need ?a|an real|live|actual human|person|agent|representative|operator ?please ?now $")
X(PHRASE_PERSON, "en", "human agent|operator|representative|support|please|being|assistance|help")
X(PHRASE_PERSON, "en", "want|need|get|give me|a|an ?a|an ?real|live human|operator|representative")
X(PHRASE_PERSON, "en", "^ ?a|an ?the human|agent|operator|representative|person ?please ?now $")
X(PHRASE_PERSON, "en", "customer service|support representative|rep|agent")
X(PHRASE_PERSON, "es",
  "hablar|hable|habla|hablo|comunicar|comunicarme|contactar|chatear con * "
  "persona|humano|humana|agente|asesor|asesora|operador|operadora|alguien|encargado|encargada|representante|"
  "ejecutivo|ejecutiva")
X(PHRASE_PERSON, "es",
  "pasame|paseme|comunicame|comuniqueme|transfiereme|transfierame con|a * "
  "persona|humano|agente|asesor|asesora|operador|operadora|alguien|representante|ejecutivo|ejecutiva")
X(PHRASE_PERSON, "es", "persona|agente|asesor|operador real|humano|humana")
X(PHRASE_PERSON, "es", "^ ?un|una humano|agente|asesor|operador|operadora|representante ?por ?favor $")
X(PHRASE_PERSON, "pt",
  "falar|fale|conversar com|pra|para * "
  "pessoa|humano|atendente|agente|alguem|operador|operadora|gerente|representante")
X(PHRASE_PERSON, "pt", "atendente|agente|atendimento|pessoa humano|humana|real")
X(PHRASE_PERSON, "pt", "^ ?um|uma humano|atendente|operador|operadora ?por ?favor $")
X(PHRASE_PERSON, "fr",
  "parler|discuter|echanger|parle a|avec * "
  "personne|humain|conseiller|conseillere|agent|quelqu|operateur|responsable|collegue")
X(PHRASE_PERSON, "fr", "vrai|vraie|reel|reelle personne|humain|conseiller|conseillere|agent")
X(PHRASE_PERSON, "fr", "personne|agent|conseiller|operateur humain|humaine|reel|reelle")
X(PHRASE_PERSON, "fr", "^ ?un|une humain|conseiller|conseillere|agent|operateur ?s ?il ?vous ?te ?plait $")
X(PHRASE_PERSON, "de",
  "mit * mensch|menschen|mitarbeiter|mitarbeiterin|person|berater|beraterin|jemandem|jemanden|agenten ?zu "
  "?bitte sprechen|reden|chatten|telefonieren|verbinden|verbunden")
X(PHRASE_PERSON, "de",
  "sprechen|reden|verbinden|verbinde ?sie ?mich ?bitte mit * "
  "mensch|menschen|mitarbeiter|mitarbeiterin|person|berater|beraterin|jemandem|agenten")
X(PHRASE_PERSON, "de",
  "echten|echter|richtigen|richtiger|wirklichen mensch|menschen|mitarbeiter|person|berater")
X(PHRASE_PERSON, "de", "^ ?ein|einen mensch|mitarbeiter|menschen|kundenberater ?bitte $")
X(PHRASE_PERSON, "it",
  "parlare|parlo|chattare con * "
  "persona|umano|operatore|operatrice|qualcuno|agente|responsabile|consulente|addetto")
X(PHRASE_PERSON, "it", "operatore|persona|agente umano|umana|reale|vera|vero")
X(PHRASE_PERSON, "it", "^ ?un|una operatore|operatrice|umano ?per ?favore $")
X(PHRASE_PERSON, "tr",
  "insan|temsilci|temsilcisi|temsilciyle|temsilciye|yetkili|yetkiliyle|yetkiliye|biriyle|operator|operatore|"
  "insanla|kisi|kisiyle ?ile ?bir ?gercek "
  "gorusmek|konusmak|baglan|baglanmak|baglayin|baglar|gorusebilir|konusabilir|gorusmem")
X(PHRASE_PERSON, "tr", "gercek * insan|insanla|kisi|kisiyle|temsilci|temsilciyle")
X(PHRASE_PERSON, "tr", "musteri temsilcisi|temsilcisine|temsilcisiyle|hizmetleri")
X(PHRASE_PERSON, "id",
  "bicara|ngobrol|berbicara|chat|terhubung|hubungkan|sambungkan ?saya dengan|ke|sama * "
  "orang|manusia|agen|admin|cs|operator|petugas|staf")
X(PHRASE_PERSON, "nl", "met * mens|persoon|medewerker|iemand|collega ?te ?kan praten|spreken|chatten")
X(PHRASE_PERSON, "nl", "echt|echte persoon|mens|medewerker")
X(PHRASE_PERSON, "pl",
  "rozmawiac|porozmawiac|polaczyc|pogadac z|ze * "
  "czlowiekiem|konsultantem|konsultantka|osoba|kims|pracownikiem|agentem|doradca")
X(PHRASE_PERSON, "ru",
  "поговорить|говорить|связаться|соедините|соединить|переключите|позовите|позвать ?меня ?с|со|на * "
  "человеком|человека|оператором|оператора|менеджером|менеджера|сотрудником|кем|специалистом")
X(PHRASE_PERSON, "ru", "живой|живого|живым|реальный человек|человека|человеком|оператор|оператора|оператором")
X(PHRASE_PERSON, "ru", "^ оператор|оператора|человека ?пожалуйста $")
X(PHRASE_PERSON, "ar",
  "التحدث|اتحدث|اتكلم|التكلم|احكي|تكلم ?الي|مع|الى * شخص|موظف|انسان|ممثل|احد|مسوول|وكيل|بشري|خدمه")
X(PHRASE_PERSON, "ar", "خدمة العملاء")
X(PHRASE_PERSON, "ar", "موظف|شخص|انسان حقيقي|بشري")
X(PHRASE_PERSON, "hi", "किसी|एक|असली ?असली ?व्यक्ति|इंसान|आदमी|एजेंट|कर्मचारी|प्रतिनिधि से * बात")
X(PHRASE_PERSON, "hi", "इंसान|एजेंट|प्रतिनिधि|कर्मचारी से * बात")
X(PHRASE_PERSON, "hi", "insaan|agent|aadmi|kisi|vyakti ?se ?real ?insaan ?vyakti se baat")
X(PHRASE_PERSON, "zh", "~人工客服")
X(PHRASE_PERSON, "zh", "~转人工")
X(PHRASE_PERSON, "zh", "~轉人工")
X(PHRASE_PERSON, "zh", "~真人")
X(PHRASE_PERSON, "zh", "^ 人工|客服|人工服务 $")
X(PHRASE_PERSON, "ja", "~担当者と話")
X(PHRASE_PERSON, "ja", "~人と話")
X(PHRASE_PERSON, "ja", "~オペレーター")
X(PHRASE_PERSON, "ko", "~상담원")
X(PHRASE_PERSON, "ko", "~상담사")
X(PHRASE_PERSON, "th", "~คุยกับเจ้าหน้าที่")
X(PHRASE_PERSON, "th", "~คุยกับคน")
X(PHRASE_PERSON, "th", "~ติดต่อเจ้าหน้าที่")
X(PHRASE_PERSON, "vi", "noi chuyen|chat voi * nguoi|nhan|tu")
X(PHRASE_PERSON, "vi", "gap nhan|tu vien")

/* ---- greetings: the whole message ---- */
X(PHRASE_GREETING, "en", "^ hi|hello|hey|hiya|greetings ?hi|hello ?there|all|team|everyone $")
X(PHRASE_GREETING, "en", "^ good morning|afternoon|evening|day $")
X(PHRASE_GREETING, "es", "^ hola|buenas ?hola ?buenos|buenas ?dias|tardes|noches $")
X(PHRASE_GREETING, "es", "^ buenos|buenas dias|tardes|noches $")
X(PHRASE_GREETING, "pt", "^ oi|ola ?bom|boa ?dia|tarde|noite ?tudo ?bem $")
X(PHRASE_GREETING, "pt", "^ bom|boa dia|tarde|noite $")
X(PHRASE_GREETING, "fr", "^ bonjour|bonsoir|salut|coucou $")
X(PHRASE_GREETING, "de", "^ hallo|moin|servus|guten ?tag|morgen|abend ?zusammen $")
X(PHRASE_GREETING, "it", "^ ciao|salve|buongiorno|buonasera $")
X(PHRASE_GREETING, "tr", "^ merhaba|selam|selamlar|iyi ?gunler|aksamlar $")
X(PHRASE_GREETING, "id", "^ halo|hai|selamat ?pagi|siang|sore|malam $")
X(PHRASE_GREETING, "nl", "^ hoi|goedendag|goedemorgen|goedemiddag|goedenavond $")
X(PHRASE_GREETING, "ru", "^ привет|здравствуйте|добрый ?день|вечер $")
X(PHRASE_GREETING, "ar", "^ مرحبا|السلام|اهلا|سلام ?عليكم $")
X(PHRASE_GREETING, "hi", "^ नमस्ते|नमस्कार|namaste $")
X(PHRASE_GREETING, "zh", "^ 你好|您好|在吗 $")
X(PHRASE_GREETING, "ja", "^ こんにちは|こんばんは|おはようございます $")

/* ---- thanks and good-bye: the whole message ---- */
X(PHRASE_THANKS, "en",
  "^ ?ok|okay|great|perfect|cool|got|no ?it thanks|thank|thx|ty|cheers ?you ?so|very ?much ?bye|again|a ?lot "
  "$")
X(PHRASE_THANKS, "en", "^ bye|goodbye ?bye|for ?now $")
X(PHRASE_THANKS, "es", "^ ?ok|vale|perfecto|muchas|muchisimas|mil gracias ?adios|por ?todo $")
X(PHRASE_THANKS, "pt", "^ ?ok|muito|perfeito obrigado|obrigada|valeu ?tchau $")
X(PHRASE_THANKS, "fr", "^ ?ok|super|parfait|d ?accord merci ?beaucoup|bien ?a|au ?vous|revoir $")
X(PHRASE_THANKS, "de", "^ ?ok|super|alles|vielen|herzlichen|besten ?klar danke|dank ?schon|sehr|dir|ihnen $")
X(PHRASE_THANKS, "it", "^ ?ok|perfetto grazie ?mille|tante $")
X(PHRASE_THANKS, "tr", "^ ?tamam|cok tesekkurler|tesekkur|sagol|sagolun ?ederim|ederiz $")
X(PHRASE_THANKS, "id", "^ ?ok|oke|baik terima|makasih ?kasih $")
X(PHRASE_THANKS, "nl", "^ ?ok|hartelijk bedankt|dank|dankjewel|dankuwel ?je|u ?wel $")
X(PHRASE_THANKS, "ru", "^ ?большое спасибо ?большое $")
X(PHRASE_THANKS, "ar", "^ شكرا ?جزيلا|لك|لكم $")
X(PHRASE_THANKS, "hi", "^ ?बहुत धन्यवाद|शुक्रिया|dhanyavaad|shukriya $")
X(PHRASE_THANKS, "zh", "^ 谢谢|谢谢你|谢谢您|多谢 $")
X(PHRASE_THANKS, "ja", "^ ありがとう|ありがとうございます|ありがとうございました $")

/* ---- wants out of a flow: the whole message ---- */
X(PHRASE_EXIT, "en", "^ ?please cancel|stop|exit|quit|abort ?it|this|that ?please $")
X(PHRASE_EXIT, "en", "^ never mind|nevermind $")
X(PHRASE_EXIT, "en", "^ nevermind $")
X(PHRASE_EXIT, "es", "^ cancelar|cancela|cancelalo|salir|parar|detener|dejalo|olvidalo ?por ?favor $")
X(PHRASE_EXIT, "pt", "^ cancelar|cancela|sair|parar|esquece|deixa ?pra ?la ?por ?favor $")
X(PHRASE_EXIT, "fr", "^ annuler|annulez|arreter|arretez|quitter|stop ?s ?il ?vous ?te ?plait $")
X(PHRASE_EXIT, "de", "^ ?bitte abbrechen|abbruch|stopp|stop|beenden|aufhoren ?bitte $")
X(PHRASE_EXIT, "it", "^ annulla|annullare|esci|uscire|ferma|basta ?per ?favore $")
X(PHRASE_EXIT, "tr", "^ iptal|vazgec|vazgectim|dur|cik|cikis ?et|lutfen $")
X(PHRASE_EXIT, "id", "^ batal|batalkan|keluar|berhenti ?saja $")
X(PHRASE_EXIT, "nl", "^ annuleren|annuleer|stop|stoppen ?maar|alsjeblieft $")
X(PHRASE_EXIT, "pl", "^ anuluj|przerwij|zakoncz|wyjdz $")
X(PHRASE_EXIT, "ru", "^ отмена|отменить|стоп|выход|хватит $")
X(PHRASE_EXIT, "ar", "^ الغاء|الغ|توقف|خروج $")
X(PHRASE_EXIT, "hi", "^ रद्द|बंद ?करो|करें $")
X(PHRASE_EXIT, "zh", "^ 取消|退出|停止 $")
X(PHRASE_EXIT, "ja", "^ キャンセル|中止|やめる $")
X(PHRASE_EXIT, "ko", "^ 취소|그만 $")
