package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static dev.smelt.formats.testing.CheckpointAssertions.assertEntries;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Wrong input of every kind, as a user would meet it: one line, the right exit code, no leftovers.
 */
class RefusalTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path SCRIPTURE = TESTDATA.resolve("gpt2-scripture");
  private static final Path DRAMA_TEXT = TESTDATA.resolve("text/drama.train.txt");

  @TempDir private Path folder = Path.of("");
  private Path inputs = Path.of("");
  private Path outputs = Path.of("");

  @BeforeEach
  void makeFolders() throws IOException {
    inputs = Files.createDirectory(folder.resolve("inputs"));
    outputs = Files.createDirectory(folder.resolve("outputs"));
  }

  private void assertNothingWritten() {
    assertEntries(outputs);
  }

  @Test
  void missingFile() {
    smelt("inspect", inputs.resolve("nowhere.safetensors"))
        .refused(ExitCode.BAD_INPUT, "no such checkpoint", "nowhere.safetensors", "check the path");
  }

  @Test
  void folderWithoutWeights() {
    smelt("inspect", inputs).refused(ExitCode.BAD_INPUT, "no weights found", inputs.toString());
  }

  @Test
  void truncatedFile() throws IOException {
    byte[] whole = Files.readAllBytes(DRAMA.resolve("model.safetensors"));
    Path file = inputs.resolve("cut.safetensors");
    Files.write(file, Arrays.copyOf(whole, whole.length - 1000));
    smelt("inspect", file)
        .refused(
            ExitCode.BAD_INPUT,
            "truncated file",
            "cut.safetensors@",
            // Both without the eight bytes of the length field and the header.
            "expected 3756288 bytes, found 3755288");
  }

  @Test
  void headerLongerThanFile() {
    Path file =
        TestCheckpoints.write(
            inputs.resolve("long.safetensors"), new byte[] {100, 0, 0, 0, 0, 0, 0, 0, '{', '}'});
    smelt("inspect", file)
        .refused(
            ExitCode.BAD_INPUT,
            "header longer than file",
            "long.safetensors@0",
            "expected 108 bytes, found 10");
  }

  @Test
  void overlappingOffsets() {
    String header =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
            + "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}";
    Path file =
        TestCheckpoints.write(
            inputs.resolve("overlap.safetensors"), TestCheckpoints.raw(header, new byte[6]));
    smelt("inspect", file)
        .refused(
            ExitCode.BAD_INPUT,
            "overlapping offsets",
            "overlap.safetensors@",
            "|b",
            "expected the tensor at offset 4, found 2");
  }

  @Test
  void unknownDtype() {
    String header = "{\"a\":{\"dtype\":\"F12\",\"shape\":[4],\"data_offsets\":[0,6]}}";
    Path file =
        TestCheckpoints.write(
            inputs.resolve("f12.safetensors"), TestCheckpoints.raw(header, new byte[6]));
    smelt("inspect", file)
        .refused(ExitCode.BAD_INPUT, "unknown dtype", "f12.safetensors|a", "found 'F12'");
  }

  @Test
  void nanInWeight() {
    Path good =
        TestCheckpoints.file(
            inputs.resolve("good.safetensors"),
            List.of(TestTensors.f32("w.weight", Shape.of(2, 2), 1, 2, 3, 4)));
    Path bad =
        TestCheckpoints.file(
            inputs.resolve("bad.safetensors"),
            List.of(TestTensors.f32("w.weight", Shape.of(2, 2), 1, 2, Float.NaN, 4)));
    smelt("merge", good, bad, "--method", "linear", "-o", outputs.resolve("merged"))
        .refused(ExitCode.BAD_INPUT, "non-finite value", "w.weight", "NaN", "index 2");
    smelt("factorize", bad, "--keep", "0.5", "-o", outputs.resolve("small"))
        .refused(ExitCode.BAD_INPUT, "non-finite value", "w.weight", "index 2");
    assertNothingWritten();
  }

  @Test
  void fisherOfAnotherModel() {
    Path drama = inputs.resolve("drama.safetensors");
    smelt("fisher", DRAMA, "--data", DRAMA_TEXT, "--seq-len", 64, "--samples", 2, "-o", drama)
        .done();
    smelt(
            "merge",
            DRAMA,
            SCRIPTURE,
            "--method",
            "fisher",
            "--fisher",
            drama,
            "--fisher",
            drama,
            "-o",
            outputs.resolve("merged"))
        .refused(ExitCode.BAD_INPUT, "statistics are of another model", "drama.safetensors");
    smelt(
            "factorize",
            SCRIPTURE,
            "--metric",
            "fisher",
            "--stats",
            drama,
            "--keep",
            0.5,
            "-o",
            outputs.resolve("small"))
        .refused(ExitCode.BAD_INPUT, "statistics are of another model", "drama.safetensors");
    assertNothingWritten();
  }

  @Test
  void shapesThatDiffer() {
    Path two =
        TestCheckpoints.file(
            inputs.resolve("two.safetensors"),
            List.of(TestTensors.f32("layer.weight", Shape.of(2), 1, 2)));
    Path three =
        TestCheckpoints.file(
            inputs.resolve("three.safetensors"),
            List.of(TestTensors.f32("layer.weight", Shape.of(3), 1, 2, 3)));
    smelt("merge", two, three, "--method", "linear", "-o", outputs.resolve("merged"))
        .refused(
            ExitCode.BAD_INPUT,
            "do not share a tensor",
            "three.safetensors|layer.weight",
            "expected [2]",
            "found [3]");
    assertNothingWritten();
  }

  @Test
  void unwritableTarget() throws IOException {
    Path file = Files.writeString(inputs.resolve("plain.txt"), "a file, not a folder");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "-o", file.resolve("merged"))
        .refused(ExitCode.RESOURCES, "cannot write", "plain.txt/merged");
    smelt(
            "fisher",
            DRAMA,
            "--data",
            DRAMA_TEXT,
            "--seq-len",
            64,
            "--samples",
            2,
            "-o",
            file.resolve("f.safetensors"))
        .refused(ExitCode.RESOURCES, "cannot write", "plain.txt/f.safetensors");
    smelt("factorize", DRAMA, "--keep", "0.5", "-o", file.resolve("small"))
        .refused(ExitCode.RESOURCES, "cannot write", "plain.txt/small");
    smelt("diff", DRAMA, SCRIPTURE, "-o", file.resolve("report.html"))
        .refused(ExitCode.RESOURCES, "cannot write", "plain.txt/report.html");
  }

  @Test
  void targetThatExists() throws IOException {
    Files.createDirectory(outputs.resolve("merged"));
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "-o", outputs.resolve("merged"))
        .refused(ExitCode.USAGE, "output exists", "--overwrite");
    assertEntries(outputs, "merged");
    assertEntries(outputs.resolve("merged"));
  }

  @Test
  void inputsAreNeverReplaced() throws IOException {
    Path mine = Files.createDirectory(inputs.resolve("mine"));
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(DRAMA.resolve(file), mine.resolve(file));
    }
    smelt("merge", mine, SCRIPTURE, "--method", "linear", "-o", mine, "--overwrite")
        .refused(ExitCode.USAGE, "output would replace an input", "mine");
    smelt("factorize", mine, "--keep", 0.5, "-o", inputs, "--overwrite")
        .refused(ExitCode.USAGE, "output would replace an input", "inputs");
    assertEntries(mine, "config.json", "model.safetensors");
  }

  @Test
  void manifestsThatAreNone() throws IOException {
    Path model = Files.createDirectory(inputs.resolve("model"));
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(DRAMA.resolve(file), model.resolve(file));
    }
    for (String text : List.of("", "[]", "{}", "{\"smelt\": \"0.1.0\"}", "null")) {
      Files.writeString(model.resolve("smelt.json"), text);
      smelt("verify", model).refused(ExitCode.BAD_INPUT, "smelt.json");
    }
  }

  @Test
  void unknownOption() {
    smelt("inspect", DRAMA, "--statz").refused(ExitCode.USAGE, "--statz", "--help");
    smelt("inspekt", DRAMA).refused(ExitCode.USAGE, "inspekt", "--help");
    smelt().refused(ExitCode.USAGE, "--help");
  }

  @Test
  void valuesOutOfRange() {
    Path small = outputs.resolve("small");
    smelt("factorize", DRAMA, "--keep", "1.5", "-o", small)
        .refused(ExitCode.USAGE, "--keep 1.5 is out of range", "(0, 1]");
    smelt("factorize", DRAMA, "--max-error", "1", "-o", small)
        .refused(ExitCode.USAGE, "--max-error 1.0 is out of range", "[0, 1)");
    smelt("factorize", DRAMA, "-o", small).refused(ExitCode.USAGE, "--keep", "--max-error");
    smelt("factorize", DRAMA, "--keep", 0.5, "--max-error", 0.1, "-o", small)
        .refused(ExitCode.USAGE, "mutually exclusive");
    smelt("factorize", DRAMA, "--keep", 0.5, "--include", "nothing*", "-o", small)
        .refused(ExitCode.USAGE, "'nothing*' matches no tensor");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "--weight", 1, "-o", small)
        .refused(ExitCode.USAGE, "1 values of --weight for 2 models");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "average", "-o", small)
        .refused(ExitCode.USAGE, "--method", "average");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "--dtype", "f12", "-o", small)
        .refused(ExitCode.USAGE, "'f12' is not a floating-point type");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "--shard-size", "5X", "-o", small)
        .refused(ExitCode.USAGE, "'5X' is not a size");
    Run.plain("inspect", DRAMA.toString(), "--threads", "two")
        .refused(ExitCode.USAGE, "--threads", "two");
    Run.plain("doctor", "--device", "tpu").refused(ExitCode.USAGE, "tpu");
    Run.plain("inspect", DRAMA.toString(), "--device", "tpu").refused(ExitCode.USAGE, "tpu");
    Run.plain("inspect", DRAMA.toString(), "--threads", "0").refused(ExitCode.USAGE, "--threads 0");
    smelt("merge", DRAMA, "--method", "linear", "-o", small)
        .refused(ExitCode.USAGE, "linear is of 2 or more models, found 1");
    assertNothingWritten();
  }

  @Test
  void optionsThatWouldDoNothing() {
    Path out = outputs.resolve("out");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "--floor", 0.1, "-o", out)
        .refused(ExitCode.USAGE, "--floor has no effect with --method linear");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "--t", 0.1, "-o", out)
        .refused(ExitCode.USAGE, "--t has no effect with --method linear");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "slerp", "--weight", 1, "-o", out)
        .refused(ExitCode.USAGE, "--weight has no effect with --method slerp");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "fisher", "--t", 0.1, "-o", out)
        .refused(ExitCode.USAGE, "--t has no effect with --method fisher");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "fisher", "-o", out)
        .refused(ExitCode.USAGE, "0 statistics files for 2 models", "--fisher");
    smelt("factorize", DRAMA, "--keep", 0.5, "--side", "both", "-o", out)
        .refused(ExitCode.USAGE, "--side has no effect with --metric plain");
    smelt("factorize", DRAMA, "--keep", 0.5, "--metric", "fisher", "-o", out)
        .refused(ExitCode.USAGE, "--metric fisher needs statistics");
    smelt("fisher", DRAMA, "--data", DRAMA_TEXT, "--seed", 1, "-o", out)
        .refused(ExitCode.USAGE, "statistics are one file", ".safetensors");
    smelt("fisher", DRAMA, "--data", DRAMA_TEXT, "--seed", 1, "-o", out + ".safetensors")
        .refused(ExitCode.USAGE, "--seed has no effect without --labels sampled");
    smelt("diff", DRAMA, SCRIPTURE, "--max-loss-increase", 0.1)
        .refused(ExitCode.USAGE, "--max-loss-increase needs data");
    smelt("diff", DRAMA, SCRIPTURE, "--samples", 3)
        .refused(ExitCode.USAGE, "--samples has no effect without --data");
    smelt("verify", DRAMA, "--stats", out)
        .refused(ExitCode.USAGE, "--stats has no effect without --against");
    assertNothingWritten();
  }

  @Test
  void statisticsThatAreNone() throws IOException {
    Path text = Files.write(inputs.resolve("f.safetensors"), "not statistics".getBytes(UTF_8));
    smelt(
            "factorize",
            DRAMA,
            "--metric",
            "fisher",
            "--keep",
            0.5,
            "--stats",
            text,
            "-o",
            outputs.resolve("small"))
        .refused(ExitCode.BAD_INPUT, "f.safetensors");
    smelt(
            "factorize",
            DRAMA,
            "--metric",
            "fisher",
            "--keep",
            0.5,
            "--stats",
            DRAMA.resolve("model.safetensors"),
            "-o",
            outputs.resolve("small"))
        .refused(ExitCode.BAD_INPUT, "not a statistics file", "model.safetensors");
    assertNothingWritten();
  }

  @Test
  void dataThatDoesNotFit() throws IOException {
    Path text = Files.writeString(inputs.resolve("short.txt"), "too short");
    smelt("eval", DRAMA, "--data", text, "--seq-len", 64)
        .refused(ExitCode.USAGE, "no full window", "short.txt", "9 tokens, 65 needed");
    smelt("eval", DRAMA, "--data", inputs.resolve("none.txt"))
        .refused(ExitCode.BAD_INPUT, "none.txt");
    smelt("eval", DRAMA, "--data", DRAMA_TEXT, "--seq-len", 999)
        .refused(ExitCode.USAGE, "--seq-len 999", "256");
    smelt("eval", DRAMA, "--data", DRAMA_TEXT, "--batch", 0).refused(ExitCode.USAGE, "--batch 0");
    Path picture = Files.writeString(inputs.resolve("data.png"), "x");
    smelt("eval", DRAMA, "--data", picture).refused(ExitCode.BAD_INPUT, "unknown kind of data");
  }

  @Test
  void optionsOfOtherKindsOfData() {
    for (List<String> option :
        List.of(
            List.of("--size", "8"),
            List.of("--normalize", "0,0,0/1,1,1"),
            List.of("--mask-rate", "0.5"),
            List.of("--mask-seed", "1"))) {
      smelt("eval", DRAMA, "--data", DRAMA_TEXT, option.getFirst(), option.getLast())
          .refused(ExitCode.USAGE, option.getFirst() + " has no effect on", "drama.train.txt");
      smelt("diff", DRAMA, SCRIPTURE, option.getFirst(), option.getLast())
          .refused(ExitCode.USAGE, option.getFirst() + " has no effect without --data");
    }
    smelt("eval", DRAMA, "--data", DRAMA_TEXT, "--size", "big")
        .refused(ExitCode.USAGE, "no such size of an image: big");
    smelt("eval", DRAMA, "--data", TESTDATA)
        .refused(ExitCode.USAGE, "images for a network that does language modelling");
  }

  @Test
  void networkThatIsUnknown() {
    Path mamba =
        TestCheckpoints.folder(
            inputs.resolve("mamba"),
            "{\"model_type\": \"mamba\", \"architectures\": [\"MambaForCausalLM\"]}",
            List.of(TestTensors.f32("a.weight", Shape.of(1), 1)));
    smelt("eval", mamba, "--data", DRAMA_TEXT)
        .refused(ExitCode.BAD_INPUT, "model_type mamba", "GPT2LMHeadModel", "BertForSequence");
  }

  @Test
  void comparingWhatHasNothingInCommon() {
    smelt("diff", DRAMA, TESTDATA.resolve("bert-base"))
        .refused(ExitCode.BAD_INPUT, "the checkpoints share no tensor name");
  }

  @Test
  void expandingAndVerifyingWhatIsPlain() {
    smelt("expand", DRAMA, "-o", outputs.resolve("dense"))
        .refused(ExitCode.BAD_INPUT, "nothing to expand", "gpt2-drama");
    smelt("verify", DRAMA).refused(ExitCode.BAD_INPUT, "no manifest", "gpt2-drama");
    assertNothingWritten();
  }
}
