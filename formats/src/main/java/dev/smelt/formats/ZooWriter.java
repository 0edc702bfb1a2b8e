package dev.smelt.formats;

import dev.smelt.formats.huggingface.ZooOutput;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.safetensors.TensorSlot;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Several models being written at once: a folder for each, and one with the tensors that they have
 * in common. As with {@link CheckpointWriter} nothing is visible before {@link #commit}.
 */
public interface ZooWriter extends AutoCloseable {

  /**
   * What goes into the output.
   *
   * @param common tensors that are stored once, by names that mean the same in every model
   * @param members by the name of their folder
   */
  record Content(List<TensorInfo> common, SequencedMap<String, Member> members) {

    /**
     * @throws UsageException when a name cannot be that of a folder, or is that of the common one
     */
    public Content {
      common = List.copyOf(common);
      members = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(members));
      members.keySet().forEach(ZooWriter::requireName);
      Map<String, TensorInfo> known = new LinkedHashMap<>();
      common.forEach(info -> known.put(info.name(), info));
      for (Member member : members.values()) {
        for (String name : member.common()) {
          if (!known.containsKey(name)) {
            throw new IllegalArgumentException("not in common: " + name);
          }
        }
      }
    }

    /** Of all tensors, each once. */
    public long bytes() {
      return common.stream().mapToLong(TensorInfo::bytes).sum()
          + members.values().stream().mapToLong(one -> one.own().bytes()).sum();
    }

    /** Elements of all tensors, each once. */
    public long parameters() {
      return common.stream().mapToLong(TensorInfo::elements).sum()
          + members.values().stream().mapToLong(one -> one.own().parameters()).sum();
    }
  }

  /**
   * One model.
   *
   * @param own what lies in its folder
   * @param common names of its tensors that lie in the common one
   */
  record Member(CheckpointWriter.Content own, List<String> common) {
    public Member {
      common = List.copyOf(common);
    }
  }

  /** The folder with what models have in common. */
  String COMMON = "shared";

  private static void requireName(String name) {
    boolean plain =
        !name.isBlank()
            && !name.startsWith(".")
            && !name.equals(COMMON)
            && name.chars().noneMatch(c -> c == '/' || c == '\\' || Character.isISOControl(c));
    if (!plain) {
      throw new UsageException(
          "'" + name + "' cannot be the name of a model's folder", "give another with --name");
    }
  }

  /**
   * @throws UsageException when the target exists and may not be replaced
   * @throws StorageException when it cannot be written or the disk has not the space
   */
  static ZooWriter create(OutputOptions options, Content content) {
    return ZooOutput.create(options, content);
  }

  /** Of a tensor in common. */
  TensorSlot common(String name);

  /** Of a tensor in a model's own folder. */
  TensorSlot slot(String member, String name);

  /** As of {@link CheckpointWriter}; names of files begin with their folder. */
  Manifest commit(Manifest manifest);

  @Override
  void close();
}
