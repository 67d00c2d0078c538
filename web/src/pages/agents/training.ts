import type { components } from "../../api/schema.gen";
import { betweenCommas, linesOf } from "../../lib/words";

export type Lesson = components["schemas"]["Lesson"];
type EntityValue = components["schemas"]["EntityValue"];

export interface IntentForm {
  name: string;
  examples: string;
}

export interface EntityForm {
  name: string;
  pattern: string;
  values: string;
}

/** A lesson as it is typed: one example or value a line. */
export interface LessonForm {
  intents: IntentForm[];
  entities: EntityForm[];
}

/** `e-bike: pedelec, electric bike` */
export function entityValue(line: string): EntityValue {
  const [value = "", ...rest] = line.split(":");
  const synonyms = betweenCommas(rest.join(":"));
  return synonyms.length === 0 ? { value: value.trim() } : { value: value.trim(), synonyms };
}

export function formOf(lesson: Lesson): LessonForm {
  return {
    intents: (lesson.intents ?? []).map(({ name, examples }) => ({ name, examples: examples.join("\n") })),
    entities: (lesson.entities ?? []).map(({ name, pattern, values }) => ({
      name,
      pattern: pattern ?? "",
      values: (values ?? [])
        .map(({ value, synonyms }) => ((synonyms ?? []).length === 0 ? value : `${value}: ${synonyms?.join(", ")}`))
        .join("\n"),
    })),
  };
}

export function lessonOf({ intents, entities }: LessonForm): Lesson {
  return {
    intents: intents.map(({ name, examples }) => ({ name: name.trim(), examples: linesOf(examples) })),
    entities: entities.map(({ name, pattern, values }) => ({
      name: name.trim(),
      ...(pattern.trim() === "" ? {} : { pattern: pattern.trim() }),
      ...(linesOf(values).length === 0 ? {} : { values: linesOf(values).map(entityValue) }),
    })),
  };
}
