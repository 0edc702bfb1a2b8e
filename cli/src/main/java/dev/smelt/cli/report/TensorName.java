package dev.smelt.cli.report;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A tensor's name cut at its first number: "transformer.h.0" and "attn.c_attn.weight".
 *
 * @param layer empty where there is no number
 * @param kind what the tensor is in its layer; further numbers, as of experts, are left out
 */
record TensorName(String layer, String kind, String rest) {

  private static final Pattern NUMBERED = Pattern.compile("^((?:[^.]+\\.)*?\\d+)\\.(.+)$");
  private static final Pattern NUMBER = Pattern.compile("(?<=\\.)\\d+(?=\\.)");

  static TensorName of(String name) {
    Matcher matcher = NUMBERED.matcher(name);
    if (!matcher.matches()) {
      return new TensorName("", name, name);
    }
    String rest = matcher.group(2);
    return new TensorName(matcher.group(1), NUMBER.matcher(rest).replaceAll("*"), rest);
  }
}
