package dev.smelt.merge.recipe;

import dev.smelt.formats.CorruptException;
import dev.smelt.merge.method.Nearest;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.regex.Pattern;

/** A piece of a YAML document that knows where it stands. */
sealed interface Yaml {

  Place place();

  /** What it is, in words. */
  String kind();

  /** As plain lists, maps, texts, numbers and flags; what is null in a map is left out. */
  Object plain();

  /** Whether it says that there is nothing. */
  default boolean isNull() {
    return false;
  }

  /** A refusal of what stands here. */
  default CorruptException refusal(String what, String expected, String advice) {
    return new CorruptException(
        what, place().toString(), "expected " + expected + ", found " + kind(), advice);
  }

  default Scalar scalar(String key) {
    if (this instanceof Scalar scalar && !scalar.isNull()) {
      return scalar;
    }
    throw refusal("invalid " + key, "one value", "");
  }

  default Items items(String key) {
    if (this instanceof Items items) {
      return items;
    }
    throw refusal("invalid " + key, "a list", "");
  }

  default Fields fields(String key) {
    if (this instanceof Fields fields) {
      return fields;
    }
    throw refusal("invalid " + key, "keys with values", "");
  }

  /**
   * A single value.
   *
   * @param bare without quotes around it
   */
  record Scalar(Place place, String text, boolean bare) implements Yaml {

    /** Numbers with leading zeros are left out: YAML 1.1 reads some of them as octal. */
    private static final Pattern NUMBER =
        Pattern.compile("[-+]?((0|[1-9]\\d*)(\\.\\d*)?|\\.\\d+)([eE][-+]?\\d{1,4})?");

    private static final Set<String> TRUE = Set.of("true", "yes", "on");
    private static final Set<String> FALSE = Set.of("false", "no", "off");
    private static final Set<String> NULL = Set.of("", "~", "null");

    @Override
    public boolean isNull() {
      return bare && NULL.contains(text.toLowerCase(Locale.ROOT));
    }

    @Override
    public String kind() {
      return isNull() ? "nothing" : "'" + text + "'";
    }

    @Override
    public Object plain() {
      Optional<Double> number = bare ? number() : Optional.empty();
      Optional<Boolean> flag = bare ? flag() : Optional.empty();
      return number.isPresent()
          ? new BigDecimal(text)
          : flag.isPresent() ? (Object) flag.get() : text;
    }

    /** As a finite number, quoted or not. */
    Optional<Double> number() {
      return NUMBER.matcher(text).matches()
          ? Optional.of(Double.parseDouble(text)).filter(Double::isFinite)
          : Optional.empty();
    }

    /** As YAML 1.1 writes them. */
    Optional<Boolean> flag() {
      String lower = text.toLowerCase(Locale.ROOT);
      return TRUE.contains(lower)
          ? Optional.of(true)
          : FALSE.contains(lower) ? Optional.of(false) : Optional.empty();
    }
  }

  /** A list. */
  record Items(Place place, List<Yaml> all) implements Yaml {

    public Items {
      all = List.copyOf(all);
    }

    @Override
    public String kind() {
      return "a list";
    }

    @Override
    public Object plain() {
      return all.stream().filter(one -> !one.isNull()).map(Yaml::plain).toList();
    }
  }

  /** A key with its value. */
  record Entry(Place place, Yaml value) {}

  /** Keys with values. */
  record Fields(Place place, SequencedMap<String, Entry> all) implements Yaml {

    public Fields {
      all = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(all));
    }

    @Override
    public String kind() {
      return "keys with values";
    }

    @Override
    public Object plain() {
      Map<String, Object> plain = new LinkedHashMap<>();
      all.forEach(
          (key, entry) -> {
            if (!entry.value().isNull()) {
              plain.put(key, entry.value().plain());
            }
          });
      return plain;
    }

    /**
     * @param of what these are the keys of
     * @throws CorruptException naming the nearest key where one is unknown
     */
    Fields only(String of, List<String> known) {
      all.forEach(
          (key, entry) -> {
            if (!known.contains(key)) {
              throw new CorruptException(
                  "unknown key", entry.place().toString(), key + " of " + of, advice(key, known));
            }
          });
      return this;
    }

    private static String advice(String key, List<String> known) {
      return Nearest.advice(key, new ArrayList<>(known));
    }

    /** What is not there, or null, is empty. */
    Optional<Yaml> find(String key) {
      return Optional.ofNullable(all.get(key)).map(Entry::value).filter(value -> !value.isNull());
    }

    /**
     * @throws CorruptException when it is not there
     */
    Yaml get(String key, String of) {
      return find(key)
          .orElseThrow(
              () ->
                  new CorruptException(
                      "missing key", place.toString(), "expected " + key + " of " + of, "add it"));
    }
  }
}
