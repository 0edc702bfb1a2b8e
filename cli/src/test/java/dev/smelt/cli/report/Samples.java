package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.DiffReport.Score;
import dev.smelt.cli.report.DiffReport.TensorDiff;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reports to render: a small GPT-2 merged and factorised, and what a careless world may send. */
final class Samples {

  /** Breaks every syntax a report is written in, moves the cursor, and is wide. */
  static final String HOSTILE =
      "<script>alert(1)</script>|`a`\\|\"q\"'&amp;]]>-->\u001B[31m\u202E\n🫠漢字_x_*y*";

  private static final String[] KINDS = {
    "attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"
  };
  private static final int[] ROWS = {192, 192, 192, 768};
  private static final int[] COLUMNS = {576, 192, 768, 192};
  private static final int[] RANKS = {72, 48, 76, 76};
  private static final double[][] ERRORS = {
    {0.3831, 0.5156, 0.3390, 0.3593},
    {0.4167, 0.4509, 0.3462, 0.4116},
    {0.4168, 0.4536, 0.3631, 0.4344},
    {0.4107, 0.4599, 0.3777, 0.4566},
  };

  private Samples() {}

  static DiffReport gpt2() {
    Model before = model("gpt2-drama", null, 3_756_288, 1_878_144, 1.7263, 0.4874, 1.7735, 0.4756);
    Model after =
        model(
            "fisher-keep-0.5",
            "factorize fisher keep 0.5",
            1_974_528,
            987_264,
            1.7952,
            0.4711,
            1.6810,
            0.5030);
    return new DiffReport(
        before,
        after,
        List.of(
            model("gpt2-scripture", null, 3_756_288, 1_878_144, 2.0757, 0.4146, 1.5825, 0.5296),
            model(
                "linear-merge",
                "merge linear",
                3_756_288,
                1_878_144,
                1.7692,
                0.4776,
                1.7441,
                0.478),
            model(
                "fisher-merge",
                "merge fisher",
                3_756_288,
                1_878_144,
                1.7208,
                0.4881,
                1.6014,
                0.5230)),
        tensors(4),
        List.of(
            "36 tensors were left dense: 34 vectors, and 2 embeddings that --exclude names.",
            "lm_head.weight is tied to transformer.wte.weight and was counted once."),
        List.of(
            "smelt fisher models/gpt2-drama --data drama.train.txt -o drama.fisher.safetensors",
            "smelt fisher models/gpt2-scripture --data scripture.train.txt"
                + " -o scripture.fisher.safetensors",
            "smelt merge models/gpt2-drama models/gpt2-scripture --method fisher"
                + " --fisher drama.fisher.safetensors --fisher scripture.fisher.safetensors"
                + " -o out/fisher-merge",
            "smelt factorize out/fisher-merge --metric fisher --keep 0.5 -o out/fisher-keep-0.5",
            "smelt diff models/gpt2-drama out/fisher-keep-0.5 --data drama.val.txt"
                + " --data scripture.val.txt -o report.html"));
  }

  /** The tensors of a GPT-2 whose matrices were factorised, four a layer. */
  static List<TensorDiff> tensors(int layers) {
    List<TensorDiff> tensors = new ArrayList<>();
    tensors.add(same("transformer.wte.weight", "[256,192]", 98_304));
    tensors.add(same("transformer.wpe.weight", "[256,192]", 98_304));
    for (int layer = 0; layer < layers; layer++) {
      String prefix = "transformer.h." + layer + ".";
      for (String norm : List.of("ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias")) {
        tensors.add(same(prefix + norm, "[192]", 384));
      }
      for (int k = 0; k < KINDS.length; k++) {
        long dense = 2L * ROWS[k] * COLUMNS[k];
        long factors = 2L * RANKS[k] * (ROWS[k] + COLUMNS[k]);
        double error = ERRORS[layer % 4][k] * (1 - 0.003 * layer);
        String shape = "[" + ROWS[k] + "," + COLUMNS[k] + "]";
        tensors.add(
            new TensorDiff(
                prefix + KINDS[k], "changed", shape, error, RANKS[k], 0.0, dense, factors));
        String bias = KINDS[k].replace("weight", "bias");
        tensors.add(same(prefix + bias, "[" + COLUMNS[k] + "]", 2L * COLUMNS[k]));
      }
    }
    tensors.add(same("transformer.ln_f.weight", "[192]", 384));
    tensors.add(same("transformer.ln_f.bias", "[192]", 384));
    return tensors;
  }

  /** The same report as if no data had been given. */
  static DiffReport withoutData() {
    DiffReport full = gpt2();
    return new DiffReport(
        bare(full.before()),
        bare(full.after()),
        full.also().stream().map(Samples::bare).toList(),
        full.tensors(),
        full.notes(),
        full.commands());
  }

  /** 300 factorised matrices. */
  static DiffReport deep() {
    DiffReport small = gpt2();
    return new DiffReport(
        small.before(), small.after(), small.also(), tensors(75), List.of(), List.of());
  }

  /** Hostile wherever a string may be; numbers that are none. */
  static DiffReport hostile() {
    Score score =
        new Score(HOSTILE, Double.NaN, Double.POSITIVE_INFINITY, 0, 0, 0L, Double.NaN, null);
    Model model =
        new Model(
            HOSTILE,
            HOSTILE,
            HOSTILE,
            HOSTILE,
            0,
            0,
            null,
            Double.NaN,
            Double.POSITIVE_INFINITY,
            0.0,
            Double.NaN,
            Double.POSITIVE_INFINITY,
            List.of(
                score,
                new Score("b" + HOSTILE, 1, null, 1, 1, 1L, null, Double.POSITIVE_INFINITY)));
    return new DiffReport(
        model,
        model,
        List.of(model, model),
        List.of(
            new TensorDiff(
                HOSTILE, "changed", HOSTILE, Double.POSITIVE_INFINITY, 1, 0.5, 0, Long.MAX_VALUE),
            new TensorDiff("a." + HOSTILE, "changed", "[]", Double.NaN, null, 1.0, 7, 0),
            new TensorDiff("h.0." + HOSTILE, "added", "[1]", null, null, 0.0, 0, 4),
            new TensorDiff("h.1." + HOSTILE, "removed", "[1]", null, null, null, 4, 0)),
        List.of(HOSTILE, HOSTILE.repeat(9)),
        List.of(HOSTILE + "```", HOSTILE));
  }

  private static Model model(
      String name,
      @Nullable String method,
      long bytes,
      long parameters,
      double dramaLoss,
      double dramaAccuracy,
      double scriptureLoss,
      double scriptureAccuracy) {
    double loss = (dramaLoss + scriptureLoss) / 2;
    return new Model(
        name,
        (method == null ? "models/" : "out/") + name,
        method,
        Integer.toHexString(name.hashCode()).repeat(8).substring(0, 56) + "deadbeef",
        bytes,
        parameters,
        null,
        loss,
        Math.exp(loss),
        (dramaAccuracy + scriptureAccuracy) / 2,
        3e9 / parameters,
        null,
        List.of(
            new Score(
                "drama.val.txt",
                dramaLoss,
                Math.exp(dramaLoss),
                dramaAccuracy,
                40,
                10_240L,
                3e9 / parameters,
                null),
            new Score(
                "scripture.val.txt",
                scriptureLoss,
                Math.exp(scriptureLoss),
                scriptureAccuracy,
                40,
                10_240L,
                3e9 / parameters,
                null)));
  }

  private static Model bare(Model model) {
    return new Model(
        model.name(),
        model.path(),
        model.method(),
        model.sha256(),
        model.bytes(),
        model.parameters(),
        model.packedBytes(),
        null,
        null,
        null,
        null,
        null,
        List.of());
  }

  private static TensorDiff same(String name, String shape, long bytes) {
    return new TensorDiff(name, "same", shape, 0.0, null, 0.0, bytes, bytes);
  }
}
