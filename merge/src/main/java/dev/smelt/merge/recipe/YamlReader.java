package dev.smelt.merge.recipe;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.storage.Storage;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.CollectionEndEvent;
import org.snakeyaml.engine.v2.events.CollectionStartEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;

/**
 * Reads YAML into pieces that know their lines. Anchors and merge keys are followed; tags of other
 * languages and keys that are there twice are refused.
 */
final class YamlReader {

  /** The longest recipes people publish are a thousandth of this. */
  private static final long MAX_BYTES = 1 << 20;

  /** Recipes need eight; deeper nesting would exhaust the stack of the library. */
  private static final int MAX_DEPTH = 32;

  /** Aliases of aliases grow without bound in a file of a few lines. */
  private static final int MAX_PIECES = 200_000;

  private static final String MERGE = "<<";

  private static final Set<Tag> TAGS =
      Set.of(Tag.STR, Tag.INT, Tag.FLOAT, Tag.BOOL, Tag.NULL, Tag.SEQ, Tag.MAP, Tag.MERGE);

  private final Path file;
  private int pieces;

  private YamlReader(Path file) {
    this.file = file;
  }

  /**
   * The documents of a file, in order; empty ones are left out.
   *
   * @throws CorruptException when the file is not YAML
   * @throws LimitException when it is too large or nested too deeply
   */
  static List<Yaml> read(Path file) {
    return read(file, text(file, Storage.local().read(file, MAX_BYTES)));
  }

  static List<Yaml> read(Path file, String text) {
    // Of both the library would not say the line.
    LoadSettings settings =
        LoadSettings.builder()
            .setLabel(file.toString())
            .setAllowNonScalarKeys(true)
            .setMaxAliasesForCollections(Integer.MAX_VALUE)
            .build();
    YamlReader reader = new YamlReader(file);
    List<Yaml> documents = new ArrayList<>();
    try {
      reader.requireShallow(new Parse(settings).parseString(text));
      for (Node node : new Compose(settings).composeAllFromString(text)) {
        Yaml document = reader.piece(node);
        if (!document.isNull()) {
          documents.add(document);
        }
      }
    } catch (MarkedYamlEngineException e) {
      throw new CorruptException(
          "malformed YAML", reader.place(e.getProblemMark()).toString(), e.getProblem(), "");
    } catch (YamlEngineException e) {
      throw new CorruptException(
          "malformed YAML", file.toString(), String.valueOf(e.getMessage()), "");
    }
    return documents;
  }

  private static String text(Path file, byte[] bytes) {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      return text.startsWith("\uFEFF") ? text.substring(1) : text;
    } catch (CharacterCodingException e) {
      throw new CorruptException("not text", file.toString(), "expected UTF-8", "");
    }
  }

  private void requireShallow(Iterable<Event> events) {
    int depth = 0;
    for (Event event : events) {
      if (event instanceof CollectionStartEvent && ++depth > MAX_DEPTH) {
        throw new LimitException(
            "recipe nested too deeply",
            place(event.getStartMark()).toString(),
            "expected at most " + MAX_DEPTH + " levels",
            "");
      }
      if (event instanceof CollectionEndEvent) {
        depth--;
      }
    }
  }

  private Place place(Optional<Mark> mark) {
    return new Place(file, mark.map(found -> found.getLine() + 1).orElse(1));
  }

  private Yaml piece(Node node) {
    Place place = place(node.getStartMark());
    if (++pieces > MAX_PIECES) {
      throw new LimitException(
          "recipe too large",
          place.toString(),
          "expected at most " + MAX_PIECES + " values, those that aliases repeat included",
          "");
    }
    if (node.isRecursive()) {
      throw new CorruptException("malformed YAML", place.toString(), "an alias of itself", "");
    }
    if (!TAGS.contains(node.getTag())) {
      throw new UnsupportedException(
          "unknown tag", place.toString(), "found " + node.getTag().getValue(), "remove it");
    }
    return switch (node) {
      case ScalarNode scalar -> new Yaml.Scalar(place, scalar.getValue(), scalar.isPlain());
      case SequenceNode sequence ->
          new Yaml.Items(place, sequence.getValue().stream().map(this::piece).toList());
      case MappingNode mapping -> new Yaml.Fields(place, entries(mapping));
      default -> throw new IllegalStateException("a node of another kind: " + node);
    };
  }

  private SequencedMap<String, Yaml.Entry> entries(MappingNode mapping) {
    SequencedMap<String, Yaml.Entry> entries = new LinkedHashMap<>();
    SequencedMap<String, Yaml.Entry> merged = new LinkedHashMap<>();
    for (NodeTuple tuple : mapping.getValue()) {
      Place place = place(tuple.getKeyNode().getStartMark());
      if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
        throw new CorruptException(
            "malformed recipe", place.toString(), "expected a name as key", "");
      }
      Yaml value = piece(tuple.getValueNode());
      if (key.isPlain() && key.getValue().equals(MERGE)) {
        fieldsOf(value).forEach(fields -> fields.all().forEach(merged::putIfAbsent));
        continue;
      }
      Yaml.Entry before = entries.put(key.getValue(), new Yaml.Entry(place, value));
      if (before != null) {
        throw new CorruptException(
            "key twice",
            place.toString(),
            key.getValue() + " is in line " + before.place().line() + " as well",
            "remove one of them");
      }
    }
    merged.forEach(entries::putIfAbsent);
    return entries;
  }

  private static List<Yaml.Fields> fieldsOf(Yaml merged) {
    return merged instanceof Yaml.Items items
        ? items.all().stream().map(one -> one.fields(MERGE)).toList()
        : List.of(merged.fields(MERGE));
  }
}
