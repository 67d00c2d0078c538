export * from "../../../sdks/js/src/audio/messages";
