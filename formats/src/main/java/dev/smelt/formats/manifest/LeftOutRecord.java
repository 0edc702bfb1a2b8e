package dev.smelt.formats.manifest;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * Units of a layer, or blocks of the model, that the output lacks.
 *
 * @param layer the module whose inputs they are; of blocks, the path before their numbers
 * @param pattern "neurons", "heads" or "blocks"
 * @param units how many there were; of heads, where several of queries share one of keys and
 *     values, how many such groups
 * @param indices their numbers in the model that was given, from 0, ascending
 */
public record LeftOutRecord(
    @JsonProperty(required = true) String layer,
    @JsonProperty(required = true) String pattern,
    @JsonProperty(required = true) int units,
    @JsonProperty(required = true) List<Integer> indices) {

  public LeftOutRecord {
    indices = List.copyOf(indices);
  }
}
