// What happens in the demonstration shop while its pictures are taken. Everything in it is invented.

const RENTAL = `# Terms of rental

Bicycles are rented by the day or by the week. A city bike costs 18 euros a day, an e-bike 42 euros a day.

## Deposit

A deposit of 80 euros is paid by card and comes back when the bicycle does.

## Late return

Whoever brings a bicycle back late pays 12 euros for every day that was begun.

## Helmets and locks

Helmets and locks are lent free of charge, as long as there are some.
`;

const LEASING = `# Leasing for employers

We work with three leasing companies. The employer signs once; employees then choose any bicycle of ours up to 8,000 euros.

## What it covers

Insurance against theft and one inspection a year are part of every lease.

## At the end

After 36 months the bicycle can be bought for 17 percent of its price, or given back.
`;

const VOUCHERS = `# Vouchers

Vouchers are sold from 20 euros on, at the counter and on the site, and hold for three years.
`;

const agent = (slug, name, greeting, persona) => ({
  slug,
  name,
  business_name: "Brightleaf Cycles",
  language: "en",
  persona,
  lines: { greeting, goodbye: "Thank you for calling Brightleaf Cycles. Goodbye." },
});

const ORDER_STATUS = {
  name: "order_status",
  description: "Looks up where an order is.",
  action: { kind: "lookup", table: "orders" },
  parameters: [
    { name: "order_id", description: "The number of the order.", kind: { kind: "pattern", regex: "\\d{5}" } },
  ],
};

/** Asks for the number of an order, looks it up, and says where it is. */
const ORDER_FLOW = {
  start: "number",
  nodes: [
    {
      id: "number",
      kind: "ask",
      text: "What is the number of your order?",
      variable: "order",
      answer: { kind: "pattern", regex: "\\d{5}" },
      next: "look_up",
      otherwise: "person",
      position: { x: 0, y: 0 },
    },
    {
      id: "look_up",
      kind: "tool",
      tool: "order_status",
      arguments: { order_id: "{order}" },
      variable: "found",
      next: "tell",
      failed: "person",
      position: { x: 0, y: 190 },
    },
    { id: "tell", kind: "end", text: "Your order {order} is {found}.", position: { x: -160, y: 380 } },
    { id: "person", kind: "transfer", position: { x: 220, y: 380 } },
  ],
};

export const SHOP = {
  texts: [
    { name: "terms-of-rental", title: "Terms of rental", text: RENTAL },
    { name: "leasing", title: "Leasing for employers", text: LEASING },
    { name: "vouchers", title: "Vouchers", text: VOUCHERS },
  ],
  pairs: {
    name: "answers-counter",
    title: "What people ask at the counter",
    pairs: [
      { question: "Can I bring my dog into the shop?", answer: "Yes, dogs on a lead are welcome." },
      { question: "Do you pump up tyres for free?", answer: "Yes, the pump stands outside, day and night." },
      { question: "Do you buy used bicycles?", answer: "We buy used bicycles that are less than five years old." },
    ],
  },
  agents: [
    agent(
      "juniper",
      "Juniper",
      "Brightleaf workshop, this is Juniper, the automated assistant. What can we repair?",
      "You are Juniper. You find a day for a repair: what is broken, which day suits, and by what name.",
    ),
    {
      ...agent(
        "orders",
        "Sam",
        "Brightleaf Cycles, this is Sam, the automated assistant.",
        "You are Sam. You tell customers where their orders are.",
      ),
      tools: [ORDER_STATUS],
      flow: ORDER_FLOW,
      handoff_to: "+49405550199",
    },
  ],
  training: {
    intents: [
      {
        name: "rent",
        examples: [
          "can I rent a bike",
          "I would like to rent a tandem",
          "how do I hire a bicycle for the weekend",
          "do you lend bikes",
          "I need a bike for two days",
          "is it possible to rent an e-bike",
          "what does renting cost",
        ],
      },
      {
        name: "repair",
        examples: [
          "my brakes are broken",
          "can you repair my bike",
          "I have a flat tyre",
          "the chain fell off",
          "my gears make a noise",
          "I need a service for my bicycle",
          "something is wrong with my wheel",
        ],
      },
      {
        name: "order",
        examples: [
          "where is my order",
          "my parcel has not arrived",
          "has my order been sent",
          "when will my order arrive",
          "I am still waiting for my parcel",
          "can you track my order",
        ],
      },
    ],
    entities: [
      { name: "order", pattern: "\\b(?:BL-)?[0-9]{5}\\b" },
      { name: "bike", values: [{ value: "e-bike", synonyms: ["pedelec", "electric bike"] }, { value: "tandem" }] },
    ],
  },
  calls: [
    [
      "When are you open on Saturday?",
      "And how much is a full service?",
      "Where is my order 48213?",
      "Thank you, goodbye",
    ],
    ["Do you have a swimming pool?", "Okay, what does delivery cost?"],
    ["Who won the football match last night?", "Where exactly is your shop?"],
    ["Can I send back a complete bicycle?", "What does the collection cost?"],
    ["How long is the warranty on the frame?", "Thank you, goodbye"],
    ["Do you deliver to Switzerland?", "Which cards do you take?"],
    ["Can I rent an e-bike for a day?", "What happens if I bring it back late?"],
    ["Do you have a swimming pool?", "I would like to speak to a person"],
  ],
  live: [
    ["How much is a full service?", "And a basic one?", "How long does it take?", "Can I cancel it?", "Where are you?"],
    ["Do you deliver to Belgium?", "What does it cost?", "And how long does it take?", "Can I pay by PayPal?"],
    ["What does an e-bike cost for a day?", "Is there a deposit?", "Do I get a helmet?", "When do you open?"],
  ],
};
