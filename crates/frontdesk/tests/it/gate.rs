//! When the documents are an answer: a gate that is fitted to the questions of a business, and taken back.

use crate::knowledge::{ask_until, over, world};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// What the shop knows, how customers ask for it, and what they ask that it does not know.
const KNOWN: [(&str, &str, &str); 20] = [
    ("When are you open?", "From nine to six, Monday to Saturday.", "until what time can I come by today"),
    ("Do you rent e-bikes?", "Yes, for 35 euros a day.", "is it possible to hire an electric bicycle"),
    ("How much is a tandem?", "A tandem costs 45 euros a day.", "price of a bike for two people"),
    ("Is there a deposit?", "Yes, 100 euros in cash or by card.", "do I have to leave some money as security"),
    ("Do you repair flat tyres?", "Yes, while you wait, for 15 euros.", "my tyre lost its air, can you fix that"),
    ("Can I bring my dog?", "Dogs are welcome in the shop.", "may I come in with my pet"),
    ("Do you sell helmets?", "Yes, from size 52 to 62.", "I need something to protect my head"),
    ("Is there parking?", "There are two free places behind the house.", "where can I leave my car"),
    ("Do you ship abroad?", "We ship to all of Europe.", "can you send a parcel to Portugal"),
    ("How do I pay?", "Cash, cards and invoice.", "which cards do you take"),
    (
        "Can I cancel a rental?",
        "Free of charge until the evening before.",
        "what if I change my mind about the booking",
    ),
    ("Do you offer tours?", "Each Sunday at ten, along the river.", "is there a guided ride"),
    ("Are there child seats?", "Yes, for children up to 22 kilograms.", "can my little one ride along"),
    ("What if a bike is stolen?", "Call us at once; insurance covers it.", "somebody took the rented bicycle"),
    ("Do you buy used bikes?", "Yes, we look at them on Tuesdays.", "I want to get rid of my old bicycle"),
    ("How long does a service take?", "Usually two working days.", "when will the inspection be done"),
    ("Do you have lockers?", "Yes, ten of them at the entrance.", "can I store my luggage with you"),
    ("Is there a student discount?", "Ten percent with a valid card.", "is it cheaper for people at university"),
    ("Do you lend locks?", "A lock comes with every bike.", "will I get something to chain it up"),
    ("Can I extend a rental?", "Yes, call before it ends.", "I would like to keep it one more day"),
];
const FOREIGN: [&str; 20] = [
    "who won the football match yesterday",
    "what is the capital of Mongolia",
    "do you have vacancies for cooks",
    "can you recommend a dentist",
    "how tall is the Eiffel tower",
    "do you sell fishing rods",
    "what is your opinion on taxes",
    "is the museum open on Mondays",
    "how do I renew my passport",
    "can I order a pizza",
    "what does a haircut cost",
    "do you repair washing machines",
    "when does the train to Berlin leave",
    "is it going to rain tomorrow",
    "do you rent apartments",
    "how many people live in Oslo",
    "can you translate a letter for me",
    "do you teach piano",
    "what is the price of gold",
    "where can I buy stamps",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_is_fitted_to_the_questions_of_a_business_and_taken_back() {
    let (_world, server) = world().await;
    let (_, before) = server.get("/api/v1/knowledge/gate").await;
    assert_eq!((&before["mode"], &before["reason"]), (&json!("fitted"), &json!("too_few_questions")), "{before}");
    let pairs: Vec<Value> =
        KNOWN.iter().map(|(question, answer, _)| json!({ "question": question, "answer": answer })).collect();
    let (_, job) = server.post("/api/v1/knowledge/pairs", &json!({ "name": "Shop", "pairs": pairs })).await;
    assert_eq!(over(&server, &job).await["state"], "done");
    let known = KNOWN.iter().map(|(heading, _, asked)| json!({ "question": asked, "expected": heading }));
    let polite = KNOWN.iter().map(|(heading, ..)| {
        json!({ "question": format!("hello, I wanted to ask, {}", heading.to_lowercase()), "expected": heading })
    });
    let foreign = FOREIGN.iter().map(|asked| json!({ "question": asked }));
    // A heading word for word teaches nothing.
    let copied = std::iter::once(json!({ "question": KNOWN[0].0, "expected": KNOWN[0].0 }));
    let questions: Vec<Value> = known.chain(polite).chain(foreign).chain(copied).collect();
    let (status, added) = server.post("/api/v1/knowledge/questions", &json!({ "questions": questions })).await;
    assert_eq!(status, StatusCode::CREATED, "{added}");
    let (_, job) = server.post("/api/v1/knowledge/evaluations", &json!({})).await;
    let job = over(&server, &job).await;
    let (_, report) =
        server.get(&format!("/api/v1/knowledge/evaluations/{}", job["evaluation"].as_str().expect("a report"))).await;
    let gate = &report["gate"];
    println!("{gate}");
    assert_eq!(gate["questions"], 60, "{report}");
    for judged in ["validated", "usual"] {
        let counts = gate[judged].as_object().expect("counts").values();
        assert_eq!(counts.filter_map(Value::as_u64).sum::<u64>(), 60, "{gate}");
    }
    assert!(["better", "not_better"].iter().any(|reason| gate["reason"] == *reason), "{gate}");
    // What is in force is what is asked with.
    let same = |answer: &Value, gate: &Value| answer["answer_from"] == gate["answer_from"];
    ask_until(&server, KNOWN[0].2, |answer| same(answer, gate)).await;
    for (mode, reason) in [("usual", json!("chosen")), ("fitted", gate["reason"].clone())] {
        let put = server.http().put(server.url("/api/v1/knowledge/gate")).json(&json!({ "mode": mode })).send().await;
        let now: Value = put.expect("an answer").json().await.expect("a gate");
        assert_eq!((&now["mode"], &now["reason"]), (&json!(mode), &reason), "{now}");
        ask_until(&server, KNOWN[0].2, |answer| same(answer, &now)).await;
    }
    let wrong =
        server.http().put(server.url("/api/v1/knowledge/gate")).json(&json!({ "mode": "wide open" })).send().await;
    assert_eq!(wrong.expect("an answer").status(), StatusCode::UNPROCESSABLE_ENTITY);
}
