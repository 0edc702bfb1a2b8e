package dev.smelt.formats.huggingface;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.ZooWriter;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.Manifest.WrittenFile;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.storage.Staging;
import dev.smelt.formats.storage.Storage;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;

/** Writes Hugging Face folders that have tensors in common. */
public final class ZooOutput implements ZooWriter {

  private final Staging staging;
  private final FolderOutput common;
  private final SequencedMap<String, FolderOutput> members = new LinkedHashMap<>();

  private ZooOutput(Staging staging) {
    this.staging = staging;
    this.common = new FolderOutput(staging, COMMON + "/");
  }

  /** See {@link ZooWriter#create}. */
  public static ZooWriter create(OutputOptions options, Content content) {
    if (options.isSingleFile()) {
      throw new UsageException(
          "several models do not go into one file [" + options.target() + "]", "name a folder");
    }
    requireReplaceable(options);
    Staging staging = Storage.local().stage(options.target(), options.overwrite());
    ZooOutput output = new ZooOutput(staging);
    boolean ready = false;
    try {
      SafetensorsOutput.requireSpace(staging, options, content.bytes());
      output.begin(options, content);
      ready = true;
      return output;
    } finally {
      if (!ready) {
        output.close();
      }
    }
  }

  /** Replacing deletes: a folder that never was a zoo is not what the user meant. */
  private static void requireReplaceable(OutputOptions options) {
    boolean replaces =
        options.overwrite()
            && Storage.local().isFolder(options.target())
            && !Storage.local().isEmptyFolder(options.target());
    if (replaces && !ZooFolder.isFolderOf(options.target())) {
      throw new UsageException(
          "will not replace a folder that holds no models with shared tensors ["
              + options.target()
              + "]",
          "choose another name or remove it yourself");
    }
  }

  private void begin(OutputOptions options, Content content) {
    staging.makeFolder(COMMON);
    common.beginFolder(
        new CheckpointWriter.Content(content.common(), Map.of(), Optional.empty(), List.of()),
        options.shardBytes());
    content
        .members()
        .forEach(
            (name, member) -> {
              Set<String> used = Set.copyOf(member.common());
              Map<String, FolderOutput.Outside> outside = new HashMap<>();
              for (TensorInfo info : content.common()) {
                if (used.contains(info.name())) {
                  String file = "../" + COMMON + "/" + common.fileOf(info.name());
                  outside.put(info.name(), new FolderOutput.Outside(file, info));
                }
              }
              staging.makeFolder(name);
              FolderOutput folder = new FolderOutput(staging, name + "/");
              members.put(name, folder);
              folder.beginMember(member.own(), options.shardBytes(), outside);
            });
  }

  @Override
  public TensorSlot common(String name) {
    return common.slot(name);
  }

  @Override
  public TensorSlot slot(String member, String name) {
    FolderOutput folder = members.get(member);
    if (folder == null) {
      throw new IllegalArgumentException("no model planned named " + member);
    }
    return folder.slot(name);
  }

  @Override
  public Manifest commit(Manifest manifest) {
    common.finish();
    members.values().forEach(FolderOutput::finish);
    List<WrittenFile> written = new ArrayList<>(common.written());
    members.values().forEach(folder -> written.addAll(folder.written()));
    Manifest complete = manifest.withFiles(written);
    staging.write(Manifest.FILE, complete.toJson());
    staging.commitFolder();
    return complete;
  }

  @Override
  public void close() {
    try (staging) {
      common.close();
      members.values().forEach(FolderOutput::close);
    }
  }
}
