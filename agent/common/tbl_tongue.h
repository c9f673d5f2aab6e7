/* tbl_tongue.h: what is said in the business's name where the agent has no words of its own, one row a language.
 * X("language", going to a person, the same because the answer is not certain, not known, please say more, topics
 * follow) */
X("en", "I'm passing you to a colleague who will answer here.",
  "I don't know that one for certain. I'm passing you to a colleague who will answer here.",
  "I don't know that one for certain, sorry.",
  "I'm not sure I understood. Could you tell me a little more about what you need?",
  "I don't have an answer to that one. I can help with:")
X("es", "Te paso con una persona del equipo, que te responderá aquí.",
  "No lo sé con certeza. Te paso con una persona del equipo, que te responderá aquí.",
  "Lo siento, no lo sé con certeza.", "No estoy seguro de haber entendido. ¿Podrías contarme un poco más sobre lo que necesitas?",
  "No tengo respuesta para eso. Puedo ayudarte con:")
X("pt", "Vou passar você para uma pessoa da equipe, que responderá aqui.",
  "Não tenho certeza sobre isso. Vou passar você para uma pessoa da equipe, que responderá aqui.",
  "Desculpe, não tenho certeza sobre isso.", "Não sei se entendi. Você pode contar um pouco mais sobre o que precisa?",
  "Não tenho resposta para isso. Posso ajudar com:")
X("fr", "Je vous passe un collègue qui vous répondra ici.",
  "Je n'en suis pas certain. Je vous passe un collègue qui vous répondra ici.", "Désolé, je n'en suis pas certain.",
  "Je ne suis pas sûr d'avoir compris. Pourriez-vous m'en dire un peu plus sur votre besoin ?",
  "Je n'ai pas de réponse à cela. Je peux vous aider sur :")
X("de", "Ich gebe an jemanden aus dem Team weiter, der Ihnen hier antwortet.",
  "Das weiß ich nicht sicher. Ich gebe an jemanden aus dem Team weiter, der Ihnen hier antwortet.",
  "Das weiß ich leider nicht sicher.", "Ich bin nicht sicher, ob ich das verstanden habe. Können Sie etwas mehr dazu sagen?",
  "Darauf habe ich keine Antwort. Helfen kann ich hiermit:")
X("it", "La passo a una persona del team, che le risponderà qui.",
  "Non lo so con certezza. La passo a una persona del team, che le risponderà qui.",
  "Mi dispiace, non lo so con certezza.", "Non sono sicuro di aver capito. Può dirmi qualcosa in più su ciò che le serve?",
  "Non ho una risposta a questo. Posso aiutare con:")
X("tr", "Sizi burada yanıt verecek bir çalışma arkadaşıma aktarıyorum.",
  "Bunu kesin olarak bilmiyorum. Sizi burada yanıt verecek bir çalışma arkadaşıma aktarıyorum.",
  "Üzgünüm, bunu kesin olarak bilmiyorum.", "Anladığımdan emin değilim. Neye ihtiyacınız olduğunu biraz daha anlatır mısınız?",
  "Buna bir yanıtım yok. Şunlarda yardımcı olabilirim:")
X("id", "Saya teruskan ke rekan kami yang akan menjawab di sini.",
  "Saya tidak yakin soal itu. Saya teruskan ke rekan kami yang akan menjawab di sini.",
  "Maaf, saya tidak yakin soal itu.", "Saya belum yakin memahaminya. Bisa ceritakan sedikit lebih banyak tentang kebutuhan Anda?",
  "Saya tidak punya jawaban untuk itu. Saya bisa membantu soal:")
X("nl", "Ik geef het door aan een collega, die hier antwoordt.",
  "Dat weet ik niet zeker. Ik geef het door aan een collega, die hier antwoordt.", "Dat weet ik helaas niet zeker.",
  "Ik weet niet zeker of ik het begrepen heb. Kunt u iets meer vertellen over wat u nodig hebt?",
  "Daar heb ik geen antwoord op. Ik kan helpen met:")
X("ru", "Передаю вас коллеге, который ответит здесь.", "Я не знаю этого наверняка. Передаю вас коллеге, который ответит здесь.",
  "К сожалению, я не знаю этого наверняка.", "Не уверен, что правильно понял. Расскажите, пожалуйста, немного подробнее.",
  "На это у меня нет ответа. Могу помочь с этим:")
X("ar", "سأحولك إلى أحد زملائنا وسيجيبك هنا.", "لست متأكدا من ذلك. سأحولك إلى أحد زملائنا وسيجيبك هنا.",
  "عذرا، لست متأكدا من ذلك.", "لست متأكدا أنني فهمت. هل يمكنك توضيح ما تحتاجه أكثر؟", "ليس لدي جواب عن ذلك. يمكنني المساعدة في:")
X("hi", "मैं आपको एक सहकर्मी से जोड़ रहा हूँ, जो यहीं उत्तर देंगे।",
  "मुझे यह पक्का नहीं पता। मैं आपको एक सहकर्मी से जोड़ रहा हूँ, जो यहीं उत्तर देंगे।", "क्षमा करें, मुझे यह पक्का नहीं पता।",
  "मैं ठीक से समझ नहीं पाया। कृपया थोड़ा और बताइए कि आपको क्या चाहिए?", "इसका उत्तर मेरे पास नहीं है। मैं इनमें मदद कर सकता हूँ:")
X("zh", "我为您转接同事，他会在这里回复您。", "这个我不能确定。我为您转接同事，他会在这里回复您。", "抱歉，这个我不能确定。",
  "我不确定是否理解了。能再详细说说您的需要吗？", "这个问题我没有答案。我可以帮您解答：")
X("ja", "担当者におつなぎします。こちらでお返事いたします。", "確かなことが分かりません。担当者におつなぎします。こちらでお返事いたします。",
  "申し訳ありません。確かなことが分かりません。", "よく理解できませんでした。もう少し詳しく教えていただけますか？",
  "そのご質問にはお答えできません。次のことでしたらお手伝いできます。")
