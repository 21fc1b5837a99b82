import type {
  CallOptions,
  Classification,
  EditOptions,
  FailedPicture,
  GGhostNet,
  ImageInput,
  ImageInputs,
  Info,
} from './index.js';

export interface TeachOptions extends CallOptions {
  /** Labels of classes to begin with; those that are there already stay as they are. */
  classes?: string[];
  /**
   * A file that `teacher.save` made with the same network: its classes and pictures are taken up. Left out, those of the
   * net's own model are, if it has some.
   */
  file?: Blob | ArrayBuffer | Uint8Array;
  /**
   * A name under which the browser keeps classes and pictures as they are added, in IndexedDB, until `teacher.forget()`.
   * If it has some under this name, from before a reload or a crash, they are taken up instead of a file's.
   */
  keep?: string;
}

/** A picture that is taught. */
export interface TaughtExample {
  /** Its number, which no other picture of this teacher has. */
  id: number;
  /** Its class; null for a stranger. */
  label: string | null;
  /** Name of the file. */
  name?: string;
  thumbnail?: Blob;
}

/** So many of so many, with Wilson's 95% interval. */
export interface Counted {
  right: number;
  of: number;
  share: number;
  interval: [number, number];
}

/** A picture as the others see it: what it is told to be by a classifier that was made without it. */
export interface JudgedExample extends TaughtExample {
  predicted: string;
  /** The calibrated probability of its own class. */
  probability: number;
}

/**
 * What a classifier is worth, from what it says of each picture when it is made without this picture (leave-one-out).
 * Pictures of classes that have but one are not judged: without them there is no class.
 */
export interface Lesson {
  /** Class means compared by cosine, or ridge regression. */
  method: 'means' | 'ridge';
  /** Of ridge regression, relative to the mean eigenvalue of the features' scatter; of nine the one of the least leave-one-out error. */
  penalty?: number;
  accuracy: Counted;
  classes: {
    label: string;
    examples: number;
    /** Of its pictures, those that are told right. */
    recall: Counted;
    /** Of the pictures that are told to be of it, those that are. */
    precision: Counted;
  }[];
  /** `confusion[class][told class]`: numbers of pictures, in the order of `classes`. */
  confusion: number[][];
  /** The pictures that are judged, in the order in which they were added. */
  examples: JudgedExample[];
  /** The same, the least probable first: what is hard, mislabelled or no good picture. */
  hardest: JudgedExample[];
  /** Fitted so that probabilities are calibrated. */
  temperature: number;
  /**
   * The rule for `known` and `unsure`: 95% of the taught pictures are above its threshold. With strangers its scale is
   * fitted to tell them; without, `known` says how usual a picture is among the taught ones, which is no probability,
   * and how many strangers pass is not measured. Left out where no picture is judged.
   */
  known?: NonNullable<Info['known']>;
  /** How well strangers are told, measured on those that were added: they are in no class. */
  rejection?: {
    /** The share of pairs of a taught picture and a stranger in which the former scores higher. */
    auroc: number;
    /** Strangers that pass for a class. */
    passed: Counted;
  };
}

/** A point of a learning curve. */
export interface CurvePoint {
  /** Most pictures of a class; each is told by one fewer. */
  examples: number;
  /** The mean of `accuracies`. */
  accuracy: number;
  /** Leave-one-out accuracy of each draw. */
  accuracies: number[];
}

export interface AddOptions extends CallOptions {
  /** Keeps a small picture, at most so many pixels long; none where it is left out, or where the host cannot make one. */
  thumbnail?: number;
}

export interface AddListOptions extends AddOptions {
  /** As for `classify`: 'return' puts the failure in the picture's place, and goes on. */
  errors?: 'throw' | 'return';
  /** Told after every few pictures, which are then kept. */
  onProgress?: (progress: { done: number }) => void;
}

export interface FitOptions extends CallOptions {
  /** Left out: ridge regression, and class means where there are fewer than two pictures a class. */
  method?: 'means' | 'ridge';
  /** `done` goes from 0 to `total`. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

export interface CurveOptions extends FitOptions {
  /** Numbers of pictures a class; by default 2, 3, 5, 10, 20, 50 and 100, as far as there are as many. */
  sizes?: number[];
  /** Random choices of so many pictures; 5 by default. */
  draws?: number;
}

export interface SaveOptions extends CallOptions {
  /** `false` leaves the pictures' features and thumbnails out: the model can then not be taught more. */
  examples?: boolean;
}

/** Makes classifiers of pictures, on the features of a net. It needs the net until it is closed. */
export interface Teacher {
  readonly classes: { label: string; examples: number }[];
  /** All pictures, strangers too, in the order in which they were added. */
  readonly examples: TaughtExample[];

  addClass(label: string): Promise<void>;
  /** A label is data: nothing is computed again. */
  rename(label: string, to: string): Promise<void>;
  /** Removes the class and its pictures. */
  removeClass(label: string): Promise<void>;

  /**
   * Computes a picture's features and keeps them, about 2.7 kB; those of a list, a few at a time. A picture of `null`
   * is a stranger, of no class: strangers are not taught, but show how well they are told.
   * A call that fails or is aborted has kept what it told by `onProgress`.
   * @example
   * await teacher.add('rock', document.querySelector('video'));
   * await teacher.add('paper', input.files, { errors: 'return', onProgress: ({ done }) => console.log(done) });
   */
  add(label: string | null, input: ImageInput, options?: AddOptions): Promise<TaughtExample>;
  add(
    label: string | null,
    input: ImageInputs,
    options: AddListOptions & { errors: 'return' },
  ): Promise<(TaughtExample | FailedPicture)[]>;
  add(label: string | null, input: ImageInputs, options?: AddListOptions): Promise<TaughtExample[]>;

  /** Removes pictures by their ids. */
  remove(ids: number | number[]): Promise<void>;
  /** Gives a picture another class. */
  move(id: number, label: string | null): Promise<void>;

  /**
   * A classifier of all pictures, and what it is worth.
   * @example
   * const { accuracy, confusion, hardest } = await teacher.fit();
   * // accuracy: { right: 57, of: 60, share: 0.95, interval: [0.863, 0.983] }
   */
  fit(options?: FitOptions): Promise<Lesson>;

  /** Leave-one-out accuracy with fewer pictures a class: whether more would help. */
  curve(options?: CurveOptions): Promise<CurvePoint[]>;

  /**
   * What the classifier says of a picture, as `net.classify` of the taught net would. After a change the classifier is
   * made anew, without a report; temperature and the rule of `known` are those of the last one.
   */
  classify(
    input: ImageInput,
    options?: CallOptions & { topK?: number },
  ): Promise<Pick<Classification, 'top' | 'known' | 'unsure'>>;

  /** A net with the classifier, which does all that nets do, on the same engine or the other one. */
  net(options?: EditOptions): Promise<GGhostNet>;

  /**
   * The taught net as one safetensors file: a model like any other, with its labels, pre-processing, golden logits,
   * temperature and rule, and beside it the pictures' features, so that `net.teach({ file })` can go on.
   */
  save(options?: SaveOptions): Promise<Blob>;

  /** Removes what the browser keeps; the teacher goes on without. */
  forget(): Promise<void>;

  /** Ends its worker; what the browser keeps stays. The net stays, too. */
  close(): void;
}
