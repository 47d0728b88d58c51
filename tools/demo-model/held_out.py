"""Prints the held-out sequences that report.json's SAE metrics were measured on, as JSON: needs neither PyTorch nor NumPy.

   python3 tools/demo-model/held_out.py > fixtures/demo-held-out.json
"""
import json
from pathlib import Path

import bpe
import corpus

SEQ, SEQUENCES, HELD_SEED = 128, 256, 12  # as in prepare.py and train_saes.py
TOKENIZER = Path(__file__).resolve().parents[2] / "resources" / "demo" / "model" / "tokenizer.json"


def main():
    tokenizer = bpe.Tokenizer.load(TOKENIZER)
    stream = corpus.generate(10 ** 9, HELD_SEED)
    rows = []
    for _ in range(SEQUENCES):
        line = [bpe.BOS]
        while len(line) < SEQ:
            line += tokenizer.encode(next(stream)[1], bos=False) + [bpe.EOS]
        rows.append(json.dumps(line[:SEQ], separators=(",", ":")))
    print("[" + ",\n".join(rows) + "]")


if __name__ == "__main__":
    main()
