export * from "../../../sdks/js/src/audio/resampler";
