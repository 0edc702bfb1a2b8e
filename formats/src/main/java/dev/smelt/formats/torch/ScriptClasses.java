package dev.smelt.formats.torch;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.pickle.PickleValue.Global;
import dev.smelt.formats.zip.ZipArchive;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What the classes of a TorchScript archive say of their attributes. The class {@code
 * __torch__.a.b.C} stands in {@code code/__torch__/a/b.py}, as
 *
 * <pre>
 * class C(Module):
 *   __parameters__ = ["weight", "bias", ]
 *   __buffers__ = ["running_mean", ]
 *   …
 * </pre>
 *
 * Only these two lines are looked at.
 */
final class ScriptClasses {

  /** Source of one class of a traced model of thousands of layers takes about this. */
  private static final int MAX_SOURCE_BYTES = 1 << 26;

  /** Of all sources together. */
  private static final long MAX_TOTAL_BYTES = 1 << 28;

  private static final Pattern CLASS = Pattern.compile("class ([A-Za-z0-9_]+)\\b.*:");
  private static final Pattern LIST =
      Pattern.compile("  __(parameters|buffers)__ = \\[((?:\"[^\"\\\\]*\", )*)\\]");

  /**
   * @param parameters names of attributes; empty when the class does not say
   * @param buffers names of attributes; empty when the class does not say
   */
  record Attributes(Optional<Set<String>> parameters, Optional<Set<String>> buffers) {

    boolean isParameter(String name) {
      return parameters.isPresent() && parameters.get().contains(name);
    }

    /** A class of before PyTorch 1.5 does not list its buffers: all its tensors are weights. */
    boolean isWeight(String name) {
      return buffers.isEmpty() || buffers.get().contains(name) || isParameter(name);
    }
  }

  private static final Attributes UNKNOWN = new Attributes(Optional.empty(), Optional.empty());

  private final ZipArchive archive;
  private final String folder;
  private final String where;
  private final Map<String, Map<String, Attributes>> files = new HashMap<>();
  private long bytesLeft = MAX_TOTAL_BYTES;

  /**
   * @param folder of the archive, with its slash
   * @param where the file, for refusals
   */
  ScriptClasses(ZipArchive archive, String folder, String where) {
    this.archive = archive;
    this.folder = folder;
    this.where = where;
  }

  Attributes of(Global type) {
    String file = folder + ScriptModule.CODE + type.module().replace('.', '/') + ".py";
    if (!archive.has(file)) {
      throw new CorruptException(
          "class of a TorchScript module missing",
          where,
          "expected " + type.qualified() + " in '" + file + "'",
          "");
    }
    Attributes attributes = files.computeIfAbsent(file, this::parse).get(type.name());
    if (attributes == null) {
      throw new CorruptException(
          "class of a TorchScript module missing",
          where + "@" + archive.offset(file),
          "expected " + type.name() + " in '" + file + "'",
          "");
    }
    return attributes;
  }

  private Map<String, Attributes> parse(String file) {
    byte[] source = archive.read(file, MAX_SOURCE_BYTES);
    bytesLeft -= source.length;
    if (bytesLeft < 0) {
      throw new LimitException(
          "too much code in a TorchScript file", where, "at most " + MAX_TOTAL_BYTES, "");
    }
    Map<String, Attributes> classes = new HashMap<>();
    String current = "";
    for (String line : new String(source, StandardCharsets.UTF_8).lines().toList()) {
      Matcher start = CLASS.matcher(line);
      Matcher list = LIST.matcher(line);
      if (start.matches()) {
        current = start.group(1);
        classes.put(current, UNKNOWN);
      } else if (!current.isEmpty() && list.matches()) {
        Optional<Set<String>> names = Optional.of(names(list.group(2)));
        Attributes known = classes.getOrDefault(current, UNKNOWN);
        classes.put(
            current,
            list.group(1).equals("parameters")
                ? new Attributes(names, known.buffers())
                : new Attributes(known.parameters(), names));
      }
    }
    return classes;
  }

  private static Set<String> names(String list) {
    return List.of(list.split(", ")).stream()
        .filter(name -> !name.isEmpty())
        .map(name -> name.substring(1, name.length() - 1))
        .collect(Collectors.toUnmodifiableSet());
  }
}
