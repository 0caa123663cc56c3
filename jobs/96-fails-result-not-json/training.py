"""Returns what cannot be written down as JSON."""


class Model:
    """Stands for a trained model, a DataFrame, an open file."""


def main():
    return {"score": 0.93, "models": [Model()]}
