package dev.smelt.formats.model;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/**
 * Attention heads that a network does not have: {@code "pruned_heads": {"0": [1], "3": [0, 2]}} of
 * config.json, layer → heads, both counted as in the network before. The config's number of heads
 * stays that of a layer without pruned ones, and so does the width of a head.
 *
 * @param heads of a layer before
 * @param byLayer the layers that lack some, with those that they lack
 */
public record PrunedHeads(int heads, SortedMap<Integer, SortedSet<Integer>> byLayer) {

  public static final String KEY = "pruned_heads";

  /** Any number of layers, written without leading zeros, fits an int. */
  private static final Pattern LAYER = Pattern.compile("0|[1-9]\\d{0,8}");

  public PrunedHeads {
    byLayer = Collections.unmodifiableSortedMap(new TreeMap<>(byLayer));
  }

  /** Whether the config says that any head is missing. */
  public static boolean areIn(ModelConfig config) {
    return config.get(KEY).isObject()
        ? config.get(KEY).valueStream().anyMatch(gone -> !gone.isEmpty())
        : !config.get(KEY).isMissingNode() && !config.get(KEY).isNull();
  }

  /**
   * @param layers of the network
   * @param heads of a layer that has all of them
   * @throws CorruptException when the key is no list of heads by layer, or a layer has none left
   */
  public static PrunedHeads of(ModelConfig config, int layers, int heads) {
    SortedMap<Integer, SortedSet<Integer>> byLayer = new TreeMap<>();
    JsonNode value = config.get(KEY);
    if (value.isMissingNode() || value.isNull()) {
      return new PrunedHeads(heads, byLayer);
    }
    if (!value.isObject()) {
      throw unfit(config, "expected an object, layer to list of heads, found " + value);
    }
    for (Map.Entry<String, JsonNode> entry : value.properties()) {
      int layer = LAYER.matcher(entry.getKey()).matches() ? Integer.parseInt(entry.getKey()) : -1;
      if (layer < 0 || layer >= layers) {
        throw unfit(config, "expected layers 0 to " + (layers - 1) + ", found " + entry.getKey());
      }
      SortedSet<Integer> gone = heads(config, entry.getValue(), layer, heads);
      if (!gone.isEmpty()) {
        byLayer.put(layer, gone);
      }
    }
    return new PrunedHeads(heads, byLayer);
  }

  private static SortedSet<Integer> heads(
      ModelConfig config, JsonNode value, int layer, int heads) {
    if (!value.isArray()) {
      throw unfit(config, "expected a list of heads of layer " + layer + ", found " + value);
    }
    SortedSet<Integer> gone = new TreeSet<>();
    for (JsonNode head : value) {
      int index = head.canConvertToInt() ? head.intValue() : -1;
      if (index < 0 || index >= heads || !gone.add(index)) {
        throw unfit(
            config,
            "expected each head of layer "
                + layer
                + " once, from 0 to "
                + (heads - 1)
                + ", found "
                + value);
      }
    }
    if (gone.size() == heads) {
      throw unfit(config, "layer " + layer + " has none of its " + heads + " heads left");
    }
    return gone;
  }

  private static CorruptException unfit(ModelConfig config, String detail) {
    return new CorruptException("invalid " + KEY, config.where(), detail, "repair config.json");
  }

  /** How many heads a layer has. */
  public int left(int layer) {
    return heads - byLayer.getOrDefault(layer, Collections.emptySortedSet()).size();
  }

  /**
   * Without some more heads of a layer.
   *
   * @param positions among those that the layer still has, ascending
   */
  public PrunedHeads without(int layer, int[] positions) {
    SortedSet<Integer> gone =
        new TreeSet<>(byLayer.getOrDefault(layer, Collections.emptySortedSet()));
    List<Integer> present = new ArrayList<>();
    for (int head = 0; head < heads; head++) {
      if (!gone.contains(head)) {
        present.add(head);
      }
    }
    for (int position : positions) {
      gone.add(present.get(position));
    }
    SortedMap<Integer, SortedSet<Integer>> changed = new TreeMap<>(byLayer);
    if (!gone.isEmpty()) {
      changed.put(layer, gone);
    }
    return new PrunedHeads(heads, changed);
  }

  /** Of a network with these of the layers, in this order. */
  public PrunedHeads ofLayers(int[] kept) {
    SortedMap<Integer, SortedSet<Integer>> moved = new TreeMap<>();
    for (int i = 0; i < kept.length; i++) {
      if (byLayer.containsKey(kept[i])) {
        moved.put(i, byLayer.get(kept[i]));
      }
    }
    return new PrunedHeads(heads, moved);
  }

  /** The config that says so. */
  public ModelConfig in(ModelConfig config) {
    if (byLayer.isEmpty()) {
      return config.get(KEY).isMissingNode() ? config : config.without(KEY);
    }
    Map<String, List<Integer>> written =
        byLayer.entrySet().stream()
            .collect(
                Collectors.toMap(
                    entry -> entry.getKey().toString(),
                    entry -> List.copyOf(entry.getValue()),
                    (a, b) -> a,
                    LinkedHashMap::new));
    return config.with(KEY, written);
  }
}
