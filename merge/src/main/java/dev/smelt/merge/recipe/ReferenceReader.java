package dev.smelt.merge.recipe;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UnsupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Reads which model is meant: {@code path}, {@code path+adapter}, or both with keys. */
final class ReferenceReader {

  private static final String MODEL = "model";
  private static final String ADAPTER = "lora";
  private static final String PATH = "path";
  private static final String REVISION = "revision";
  private static final String ARCHITECTURE = "override_architecture";

  private ReferenceReader() {}

  static ModelReference read(String key, Yaml value) {
    if (value instanceof Yaml.Fields fields) {
      return ofFields(fields);
    }
    return ofText(key, value.scalar(key));
  }

  private static ModelReference ofText(String key, Yaml.Scalar value) {
    String text = value.text();
    int plus = text.indexOf(ModelReference.ADAPTER);
    if (plus < 0 || exists(text)) {
      return new ModelReference(path(key, value, text), Optional.empty(), value.place());
    }
    if (text.indexOf(ModelReference.ADAPTER, plus + 1) >= 0) {
      throw new CorruptException(
          "invalid " + key, value.place().toString(), "expected one adapter, found " + text, "");
    }
    return new ModelReference(
        path(key, value, text.substring(0, plus)),
        Optional.of(path(key, value, text.substring(plus + 1))),
        value.place());
  }

  private static ModelReference ofFields(Yaml.Fields fields) {
    fields.only("a model", List.of(MODEL, ADAPTER, ARCHITECTURE, PATH, REVISION));
    fields
        .find(ARCHITECTURE)
        .ifPresent(
            found -> {
              throw new UnsupportedException(
                  "not supported",
                  found.place().toString(),
                  ARCHITECTURE,
                  "the model's config.json says what it is");
            });
    Optional<String> adapter = fields.find(ADAPTER).map(found -> located(ADAPTER, found));
    return fields
        .find(PATH)
        .map(found -> new ModelReference(located(PATH, fields), adapter, fields.place()))
        .orElseGet(
            () ->
                new ModelReference(
                    located(MODEL, fields.get(MODEL, "a model")), adapter, fields.place()));
  }

  /** A path, by itself or with a key. */
  private static String located(String key, Yaml value) {
    if (value instanceof Yaml.Fields fields) {
      fields.find(REVISION).ifPresent(found -> refuseRevision(found.scalar(REVISION)));
      return located(PATH, fields.get(PATH, key));
    }
    Yaml.Scalar scalar = value.scalar(key);
    return path(key, scalar, scalar.text());
  }

  private static String path(String key, Yaml.Scalar value, String path) {
    if (path.isBlank()) {
      throw value.refusal("invalid " + key, "a path", "");
    }
    if (path.indexOf(ModelReference.REVISION) >= 0 && !exists(path)) {
      refuseRevision(value);
    }
    return path;
  }

  private static boolean exists(String path) {
    return Files.exists(Path.of(path));
  }

  private static void refuseRevision(Yaml.Scalar value) {
    throw new UnsupportedException(
        "revisions not supported",
        value.place().toString(),
        "found " + value.text(),
        "models are files here: download that revision, and give its path");
  }
}
