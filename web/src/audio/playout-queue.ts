export * from "../../../sdks/js/src/audio/playout-queue";
