"""Words of the house in the customer's own language: fallbacks and announcements, where the agent has none of its own."""
import unittest

from tests.support.daemon import Daemon

UNKNOWN = {"en": "What is the meaning of the moon tonight?", "es": "¿Cuál es el significado de la luna de esta noche?",
           "fr": "Quel est le sens de la lune de ce soir pour vous ?", "de": "Was ist die Bedeutung von dem Mond in der Nacht?",
           "pt": "Qual é o significado da lua desta noite para você?", "it": "Qual è il significato della luna di questa notte?",
           "ru": "Что означает луна этой ночью?", "ar": "ما معنى القمر هذه الليلة؟", "hi": "आज रात चाँद का क्या मतलब है?",
           "zh": "今晚的月亮是什么意思？", "ja": "今夜の月の意味は何ですか？"}
UNSURE = {"en": "for certain", "es": "con certeza", "fr": "pas certain", "de": "nicht sicher", "pt": "tenho certeza", "it": "con certezza",
          "ru": "наверняка", "ar": "لست متأكدا", "hi": "पक्का नहीं", "zh": "不能确定", "ja": "確かなことが分かりません"}
PERSON = {"es": ("Quiero hablar con una persona", "equipo"), "fr": ("Je veux parler à un conseiller", "collègue"),
          "de": ("Ich möchte mit einem Menschen sprechen", "Team"), "tr": ("Müşteri temsilcisi ile görüşmek istiyorum", "aktarıyorum"),
          "zh": ("转人工", "转接"), "ja": ("オペレーターお願いします", "担当者"), "ru": ("Позовите оператора", "коллеге"),
          "ar": ("اريد التحدث مع موظف", "زملائنا")}


class Tongues(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon().start()
        self.addCleanup(self.daemon.close)
        self.daemon.push("Opening hours", "When does the shop open? At 9.")

    def chat(self, **chat):
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/", {"settings": {"chat": chat}}))

    def ask(self, thread, text):
        said = self.daemon.ok(self.daemon.post(f"/api/v1/agents/{self.daemon.agent}/invoke/", {"message": text, "thread_id": thread}))
        return self.daemon.messages(said["conversation_id"])[-1]["text"]

    def test_who_is_passed_on_is_told_so_in_their_language(self):
        for language, text in UNKNOWN.items():
            self.assertIn(UNSURE[language], self.ask("u" + language, text), language)
        for language, (text, word) in PERSON.items():
            self.assertIn(word, self.ask("p" + language, text), language)

    def test_each_fallback_is_said_in_the_customers_language(self):
        """ROVX-17: each fallback changes what happens below the threshold."""
        said = {}
        for behaviour in ("ASK_CLARIFY", "SUGGEST_TOPICS", "TRY_ANYWAY"):
            self.chat(fallback_behavior=behaviour, conversation_starters=["Opening hours"])
            said[behaviour] = {code: self.ask(behaviour + code, UNKNOWN[code]) for code in ("en", "es", "de", "zh")}
        self.assertEqual(len({text for row in said.values() for text in row.values()}), 12, said)
        self.assertIn("ayudarte con:\n- Opening hours", said["SUGGEST_TOPICS"]["es"])

    def test_the_agents_own_words_win(self):
        self.daemon.ok(self.daemon.patch(f"/api/v1/agents/{self.daemon.agent}/", {"settings": {"handoff": {"announce": "One moment!"}}}))
        self.assertEqual(self.ask("own", PERSON["es"][0]), "One moment!")

    def test_starters_are_shown_with_the_greeting(self):
        """ROVX-20: read back, and shown by the greeting that the widget opens with."""
        self.chat(conversation_starters=["What are your hours?", "Do you deliver?"])
        read = self.daemon.ok(self.daemon.get(f"/api/v1/agents/{self.daemon.agent}/settings/chat/"))
        self.assertEqual(read["conversation_starters"], ["What are your hours?", "Do you deliver?"])
        self.assertIn("- Do you deliver?", self.ask("starters", "hello"))


if __name__ == "__main__":
    unittest.main()
